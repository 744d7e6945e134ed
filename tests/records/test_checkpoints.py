"""A checkpoint is whole and the study's own, or it is refused and the one before it is used."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest
import torch
from helpers import small_run
from safetensors.torch import save_file

from study.records.checkpoints import CheckpointWriter, Saved
from study.runs.progress import Progress
from study.runs.run import Run

RUN = small_run()


def write(folder: Path, writer: CheckpointWriter, epoch: int) -> None:
    slot = Progress(
        RUN, epoch=epoch, history=[{"run": RUN.id, "epoch": epoch, "loss": float("nan")}]
    )
    writer.write({RUN.id: (slot, {"0.weight": torch.full((3, 2), float(epoch))})})


def resume(folder: Path, run: Run, said: list[str] | None = None) -> Progress:
    """Take a run up from what the tasks named here left; without ``said``, silently."""
    saved = Saved(folder, pytest.fail if said is None else said.append)
    return saved.slot(run, ["later", "earlier"])


def files(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoints").glob("*"))


def test_the_newest_state_comes_back_whole(tmp_path: Path) -> None:
    writer = CheckpointWriter(tmp_path, "earlier")
    for epoch in (2, 4, 6):
        write(tmp_path, writer, epoch)
    slot = resume(tmp_path, RUN)
    assert slot.epoch == 6
    assert slot.state is not None
    assert torch.equal(slot.state["0.weight"], torch.full((3, 2), 6.0))
    assert slot.history[0]["loss"] != slot.history[0]["loss"]
    assert len(files(tmp_path)) == 2


def test_a_run_no_checkpoint_holds_starts_from_its_seed(tmp_path: Path) -> None:
    write(tmp_path, CheckpointWriter(tmp_path, "earlier"), 2)
    slot = resume(tmp_path, small_run(seed=5))
    assert (slot.epoch, slot.state) == (0, None)


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
    damage: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    writer = CheckpointWriter(tmp_path, "earlier")
    for epoch in (2, 4):
        write(tmp_path, writer, epoch)
    newest = files(tmp_path)[-1]
    assert callable(damage)
    damage(newest)
    said: list[str] = []
    slot = resume(tmp_path, RUN, said)
    assert slot.epoch == 2
    assert len(said) == 1
    assert str(newest) in said[0]
    assert "refused" in said[0]
    assert not (tmp_path / "trace").exists()


def test_when_all_are_damaged_the_run_starts_from_its_seed(tmp_path: Path) -> None:
    writer = CheckpointWriter(tmp_path, "earlier")
    for epoch in (2, 4):
        write(tmp_path, writer, epoch)
    for path in files(tmp_path):
        truncate(path)
    said: list[str] = []
    slot = resume(tmp_path, RUN, said)
    assert (slot.epoch, slot.state, len(said)) == (0, None, 2)


def test_states_of_earlier_processes_go_once_this_one_has_come_as_far(tmp_path: Path) -> None:
    earlier = CheckpointWriter(tmp_path, "earlier")
    for epoch in (2, 4):
        write(tmp_path, earlier, epoch)
    saved = Saved(tmp_path, pytest.fail)
    assert saved.slot(RUN, ["earlier"]).resumed_at == 4
    later = CheckpointWriter(tmp_path, "later", saved)
    for epoch in (6, 8):
        write(tmp_path, later, epoch)
    assert len(files(tmp_path)) == 2
    slot = resume(tmp_path, RUN)
    assert slot.epoch == 8


def test_a_state_that_is_further_than_this_process_stays(tmp_path: Path) -> None:
    further = CheckpointWriter(tmp_path, "earlier")
    write(tmp_path, further, 10)
    saved = Saved(tmp_path, pytest.fail)
    saved.slot(RUN, ["earlier"])
    behind = CheckpointWriter(tmp_path, "later", saved)
    for epoch in (6, 8):
        write(tmp_path, behind, epoch)
    slot = resume(tmp_path, RUN)
    assert slot.epoch == 10


def test_checkpoints_of_runs_that_ended_are_taken_away(tmp_path: Path) -> None:
    write(tmp_path, CheckpointWriter(tmp_path, "earlier"), 2)
    saved = Saved(tmp_path, pytest.fail)
    saved.slot(RUN, ["earlier"])
    saved.discard({"another": math.inf})
    assert len(files(tmp_path)) == 1
    saved.discard({"another": math.inf, RUN.id: math.inf})
    assert files(tmp_path) == []


def test_a_task_takes_its_own_checkpoints_away(tmp_path: Path) -> None:
    theirs, own = (CheckpointWriter(tmp_path, name) for name in ("earlier", "later"))
    write(tmp_path, theirs, 2)
    write(tmp_path, own, 2)
    own.close()
    assert [path.name.partition("-")[0] for path in files(tmp_path)] == ["earlier"]
