"""Files that are damaged or somebody else's are refused with a line, never believed, never run."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from campaign import Trial, same, tidy, wait_until

import study
from study.records.predictions import load_predictions


def truncate(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def flip_a_bit(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def flip_a_bit_of_the_header(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    content[chance.randrange(8 + length)] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


class Malicious:
    """A pickle that makes a folder when it is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return (os.mkdir, (str(self.path),))


def replace_by_a_pickle(path: Path, chance: random.Random) -> None:
    path.write_bytes(pickle.dumps(Malicious(path.parents[1] / "it ran")))


DAMAGES = (truncate, flip_a_bit, flip_a_bit_of_the_header, replace_by_a_pickle)


OFTEN = ("--checkpoint_every", "1")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Return a study that was killed once it had two checkpoints."""
    trial = Trial(tmp_path_factory.mktemp("killed"), OFTEN)
    process = trial.start()
    assert wait_until(lambda: len(list(trial.out.glob("checkpoints/*.safetensors"))) > 1, process)
    process.kill()
    process.join()
    return trial


def copied(trial: Trial, place: Path) -> Trial:
    """Return a copy of a study in another place, with the epochs that it noted as begun."""
    copy = Trial(place, trial.options)
    shutil.copytree(trial.out, copy.out, symlinks=True)
    shutil.copy(trial.trace, copy.trace)
    return copy


def damage_and_resume(
    whole: Trial, trial: Trial, damage: Callable[[Path, random.Random], None], seed: int
) -> None:
    newest = max(trial.out.glob("checkpoints/*.safetensors"))
    damage(newest, random.Random(seed))
    said = trial.finish()
    (line,) = [line for line in said.splitlines() if "not used" in line]
    assert str(newest) in line
    assert not (trial.out / "it ran").exists()
    same(whole, trial)
    tidy(trial)
    assert trial.redone() <= 3  # what was lost by the kill, and the checkpoint


def test_a_checkpoint_that_is_a_malicious_pickle_is_refused_and_never_run(
    whole: Trial, killed: Trial, tmp_path: Path
) -> None:
    damage_and_resume(whole, copied(killed, tmp_path), replace_by_a_pickle, 0)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoints_are_refused_and_the_ones_before_used(
    damage: Callable[[Path, random.Random], None], whole: Trial, killed: Trial, tmp_path: Path
) -> None:
    for seed in range(3):
        damage_and_resume(whole, copied(killed, tmp_path / str(seed)), damage, seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["run", "tensor"])
def test_a_flipped_bit_in_the_name_of_a_tensor_is_refused(
    part: str, whole: Trial, killed: Trial, tmp_path: Path
) -> None:
    trial = copied(killed, tmp_path)
    newest = max(trial.out.glob("checkpoints/*.safetensors"))
    content = bytearray(newest.read_bytes())
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    name = max(header.keys() - {"__metadata__"})
    at = content.index(f'"{name}"'.encode()) + (1 if part == "run" else len(name))
    content[at] ^= 1
    newest.write_bytes(content)
    said = trial.finish()
    assert f"{newest}: " in said
    same(whole, trial)


def by_another_program(path: Path) -> None:
    pq.write_table(pa.table({"run": ["a"], "epoch": [1]}), path)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def no_parquet(path: Path) -> None:
    path.write_text("run,epoch\n")


@pytest.mark.slow
@pytest.mark.parametrize("damage", [torn, by_another_program, no_parquet])
@pytest.mark.parametrize("kind", ["runs", "history"])
def test_runs_of_a_damaged_or_foreign_part_are_trained_again(
    damage: Callable[[Path], None], kind: str, whole: Trial, tmp_path: Path
) -> None:
    trial = copied(whole, tmp_path)
    (path,) = (trial.out / kind).glob("*.parquet")
    damage(path)
    with pytest.warns(UserWarning, match="not a whole part of a study's records; left out"):
        assert len(study.load(trial.out)[0]) == 0
    trial.finish()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        same(whole, trial)


def test_a_damaged_part_of_predictions_is_named(whole: Trial, tmp_path: Path) -> None:
    trial = copied(whole, tmp_path)
    (path,) = (trial.out / "answers").glob("*.parquet")
    torn(path)
    with pytest.warns(UserWarning, match=f"{path}: not a whole part"):
        assert load_predictions(trial.out).empty


@pytest.mark.parametrize("kind", ["history", "answers", "runs"])
def test_a_part_of_another_format_is_bad_input_and_stays(
    kind: str, whole: Trial, tmp_path: Path
) -> None:
    trial = copied(whole, tmp_path)
    (path,) = (trial.out / kind).glob("*.parquet")
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.replace_schema_metadata({"study.format": "2"}), path)
    content = path.read_bytes()
    if kind != "answers":
        (line,) = trial.finish(status=2).splitlines()
        assert str(path) in line
        assert "records of format 1" in line
    with pytest.raises(study.BadInput, match="records of format 1"):
        (load_predictions if kind == "answers" else study.load)(trial.out)
    assert path.read_bytes() == content
