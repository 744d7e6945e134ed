"""A checkpoint is whole and the study's own, or it is refused and the one before it is used."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import small_run
from safetensors.torch import save_file

from study.base.errors import BadInput
from study.records.checkpoints import Checkpoints, check_format, saved_runs
from study.runs.progress import Progress
from study.runs.run import Run

RUN = small_run()


def write(checkpoints: Checkpoints, epoch: int, run: Run = RUN) -> None:
    history = [{"run": run.id, "epoch": epoch, "loss": float("nan")}]
    progress = Progress(run, epoch=epoch, history=history)
    checkpoints.write(progress, {"0.weight": torch.full((3, 2), float(epoch))})


def written(folder: Path, *epochs: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, pytest.fail)
    for epoch in epochs:
        write(checkpoints, epoch)
    return checkpoints


def resume(folder: Path, run: Run = RUN, said: list[str] | None = None) -> Progress:
    """Take a run up as a task does that knows nothing else; without ``said``, silently."""
    return Checkpoints(folder, pytest.fail if said is None else said.append).take_up(run)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("*"))


@pytest.mark.parametrize("last", [2, 4, 6, 8])
def test_the_newest_of_two_comes_back_whole(last: int, tmp_path: Path) -> None:
    written(tmp_path, *range(2, last + 1, 2))
    progress = resume(tmp_path)
    assert (progress.epoch, progress.resumed_at) == (last, last)
    assert progress.state is not None
    assert torch.equal(progress.state["0.weight"], torch.full((3, 2), float(last)))
    assert progress.history[0]["loss"] != progress.history[0]["loss"]
    assert len(files(tmp_path)) == min(2, last // 2)


def test_who_goes_on_replaces_the_older_one(tmp_path: Path) -> None:
    written(tmp_path, 2, 4, 6)
    for epoch in (8, 10):
        later = Checkpoints(tmp_path, pytest.fail)
        assert later.take_up(RUN).epoch == epoch - 2
        write(later, epoch)
        assert len(files(tmp_path)) == 2
    files(tmp_path)[1].unlink()
    assert resume(tmp_path).epoch in (8, 10)


def test_a_run_without_a_checkpoint_starts_from_its_seed(tmp_path: Path) -> None:
    written(tmp_path, 2)
    progress = resume(tmp_path, small_run(seed=5))
    assert (progress.epoch, progress.state) == (0, None)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def flip_a_bit_of_the_weights(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def flip_a_digit_of_the_epoch(path: Path) -> None:
    content = path.read_bytes()
    assert rb"\"epoch\": 4, \"status" in content
    path.write_bytes(content.replace(rb"\"epoch\": 4, \"status", rb"\"epoch\": 5, \"status"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


class Malicious:
    """A pickle that would leave a file if it were ever run."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (_leave_a_trace, ("trace", "run"))


def _leave_a_trace(path: str, text: str) -> None:
    Path(path).write_text(text)


def replace_by_a_malicious_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Malicious()))


def replace_by_another_s_safetensors(path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, path)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        cut_header,
        flip_a_bit_of_the_weights,
        flip_a_digit_of_the_epoch,
        empty,
        replace_by_a_malicious_pickle,
        replace_by_another_s_safetensors,
    ],
)
def test_a_damaged_or_foreign_one_is_refused_with_a_line_and_the_one_before_used(
    damage: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, 2, 4)
    newest = files(tmp_path)[-1]
    damage(newest)
    said: list[str] = []
    progress = resume(tmp_path, said=said)
    assert progress.epoch == 2
    (line,) = said
    assert str(newest) in line
    assert "not used" in line
    assert not (tmp_path / "trace").exists()


def test_when_both_are_damaged_the_run_starts_from_its_seed(tmp_path: Path) -> None:
    written(tmp_path, 2, 4)
    for path in files(tmp_path):
        truncate(path)
    said: list[str] = []
    progress = resume(tmp_path, said=said)
    assert (progress.epoch, progress.state, len(said)) == (0, None, 2)


def test_a_checkpoint_of_another_run_under_this_name_is_refused(tmp_path: Path) -> None:
    other = small_run(seed=9)
    write(Checkpoints(tmp_path, pytest.fail), 4, other)
    (path,) = files(tmp_path)
    path.rename(path.with_name(path.name.replace(other.id, RUN.id)))
    said: list[str] = []
    assert resume(tmp_path, said=said).epoch == 0
    assert len(said) == 1


def test_states_of_another_engine_are_not_gone_on_with(tmp_path: Path) -> None:
    written(tmp_path, 2, 4)
    said: list[str] = []
    assert Checkpoints(tmp_path, said.append, "plain").take_up(RUN).epoch == 0
    assert len(said) == 2
    assert "saved by the stack engine; the run begins again" in said[0]


def test_checkpoints_of_runs_that_ended_are_removed(tmp_path: Path) -> None:
    written(tmp_path, 2, 4)
    other = small_run(seed=9)
    write(Checkpoints(tmp_path, pytest.fail), 4, other)
    assert saved_runs(tmp_path) == {RUN.id, other.id}
    Checkpoints(tmp_path, pytest.fail).remove([RUN.id, "0" * 12])
    assert saved_runs(tmp_path) == {other.id}


def test_checkpoints_of_the_first_version_are_refused_in_a_line_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    check_format(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "0123456789ab-abcdef-000003.safetensors").touch()
    with pytest.raises(BadInput, match="finish the study with the version that began it"):
        check_format(tmp_path)
