"""Records appear whole, are read whole, and what is damaged or foreign is left out, loudly."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import study
from study.base.errors import BadInput
from study.base.files import take_leftovers_away, write_whole
from study.records.predictions import LISTS, answers_table, load_predictions
from study.records.reading import recorded
from study.records.writing import Folder
from study.runs.run import Run
from study.runs.settings import Data, Model


def row(run: Run, **more: object) -> dict[str, object]:
    return {
        "run": run.id,
        **run.facts(),
        "facts": json.dumps(run.facts()),
        "status": "finished",
        "epochs_to_fit": None,
        **more,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    result = Folder(tmp_path / "records", "study")
    result.begin("name: study\n")
    return result


def add(folder: Folder, run: Run, **more: object) -> None:
    folder.write_part([row(run, **more)], [{"run": run.id, "epoch": e, "x": e / 2} for e in (0, 1)])


def test_runs_come_back_from_their_rows_with_the_same_id(folder: Folder) -> None:
    runs = [
        Run(seed=seed, data=Data(train_examples=examples), model=Model(hidden=hidden))
        for seed, examples, hidden in [(0, None, (256,)), (1, 500, ()), (2, 7_00, (8, 8))]
    ]
    for run in runs:
        add(folder, run)
    again = recorded(folder.path)
    assert [run.id for run, _, _ in again] == [run.id for run in runs]
    assert [[entry["epoch"] for entry in history] for _, _, history in again] == [[0, 1]] * 3


def test_a_row_whose_facts_were_changed_by_hand_is_noticed(folder: Folder) -> None:
    run = Run()
    facts = json.dumps({**run.facts(), "data.label_noise": 0.5})
    folder.write_part([{**row(run), "facts": facts}], [{"run": run.id, "epoch": 0}])
    with pytest.raises(BadInput, match=run.id):
        recorded(folder.path)


def test_a_run_recorded_by_two_processes_counts_once(folder: Folder) -> None:
    first, second = Run(seed=0), Run(seed=1)
    add(folder, first)
    epochs = [{"run": r.id, "epoch": e, "x": e / 2} for r in (first, second) for e in (0, 1)]
    folder.write_part([row(first, seconds=9.0), row(second)], epochs)
    runs, history = study.load(folder.path)  # the same results: nothing to warn of
    assert runs["run"].tolist() == [first.id, second.id]
    assert not history.duplicated(["run", "epoch"]).any()


def twice(folder: Folder, *, second: str = "b") -> Run:
    """Record one run on two machines, with other results, epochs and answers."""
    run = Run()
    for number, writer in enumerate(["a", second]):
        machine = {"processor": f"processor {writer}", "device": "cpu", "packages": {"torch": "2"}}
        environment = folder.write_environment(machine)
        epochs = [{"run": run.id, "epoch": e, "x": float(number)} for e in range(2 + number)]
        tested: dict[str, object] = {name: np.full(3, number, np.uint8) for name in LISTS}
        tested |= {"example": np.arange(3), "part": "test", "at": "last", "epoch": 1 + number}
        folder.writer = writer
        results = {"epochs": 1 + number, "weights_hash": f"weights {number}"}
        its = row(run, environment=environment, **results)
        folder.write_part([its], epochs, [answers_table(run.id, [tested], None)])
    return run


def test_records_that_disagree_are_never_mixed_and_said_with_both_environments(
    folder: Folder,
) -> None:
    run = twice(folder)
    with pytest.warns(UserWarning, match="records that disagree") as caught:
        runs, history = study.load(folder.path)
    (line,) = [str(each.message) for each in caught]
    assert f"run {run.id} has records that disagree; read is the one of environment" in line
    assert "(processor a, cpu, torch 2)" in line
    assert "(processor b, cpu, torch 2)" in line
    assert len(runs) == 1
    number = runs["epochs"][0] - 1
    assert runs["x"].tolist() == [number]
    assert history["x"].tolist() == [number] * (2 + number)
    with pytest.warns(UserWarning, match="records that disagree"):
        assert load_predictions(folder.path)["said"].tolist() == [number] * 3
    with pytest.warns(UserWarning, match="records that disagree"):
        assert folder.weights_hashes() == {run.id: runs["weights_hash"][0]}
    with pytest.warns(UserWarning, match="records that disagree"):
        (_, its_row, its_history), *others = recorded(folder.path)
    assert (its_row["epochs"], len(its_history), others) == (1 + number, 2 + number, [])


def test_which_record_is_read_follows_from_the_records_not_from_their_parts_names(
    folder: Folder, tmp_path: Path
) -> None:
    found = []
    for number, second in enumerate(["b", "c", "d", "e"]):
        other = Folder(tmp_path / f"other {number}", "study")
        other.begin("name: study\n")
        other.write_environment = lambda environment: "e"  # type: ignore[method-assign]
        twice(other, second=second)
        with pytest.warns(UserWarning, match="records that disagree"):
            found.append(study.load(other.path).runs["epochs"][0])
    assert len(set(found)) == 1


def test_a_record_that_was_edited_gives_way_to_one_that_was_not(folder: Folder) -> None:
    twice(folder)
    for path in (folder.path / "history").iterdir():
        before = path.read_bytes()
        table = pq.read_table(path)
        changed = pa.array([9.0] * len(table))
        pq.write_table(table.set_column(table.column_names.index("x"), "x", changed), path)
        with pytest.warns(UserWarning, match=r"which was edited \(history\)"):
            runs, history = study.load(folder.path)
        assert 9 not in set(history["x"])
        assert len(history) == runs["epochs"][0] + 1
        path.write_bytes(before)


def test_a_history_without_its_runs_does_not_count(folder: Folder) -> None:
    add(folder, Run(seed=0))
    add(folder, Run(seed=1))
    (folder.path / "runs" / next((folder.path / "runs").iterdir()).name).unlink()
    runs, history = study.load(folder.path)
    assert len(runs) == 1
    assert set(history["run"]) == set(runs["run"])


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
@pytest.mark.parametrize("where", ["runs", "history"])
def test_a_torn_part_is_left_out_with_a_warning_and_its_run_not_taken_as_ended(
    where: str, content: bytes, folder: Folder
) -> None:
    add(folder, Run(seed=0))
    name = next((folder.path / "runs").iterdir()).name
    add(folder, Run(seed=1))
    (folder.path / where / name).write_bytes(content)
    with pytest.warns(UserWarning, match=name):
        runs, _ = study.load(folder.path)
    assert runs["seed"].tolist() == [1]
    assert folder.ended() == {Run(seed=1).id}


def test_a_foreign_part_is_left_out(folder: Folder) -> None:
    add(folder, Run())
    pd.DataFrame({"run": ["x"]}).to_parquet(folder.path / "runs" / "foreign.parquet")
    with pytest.warns(UserWarning, match="foreign"):
        runs, _ = study.load(folder.path)
    assert len(runs) == 1


def test_records_of_another_format_are_refused(folder: Folder) -> None:
    add(folder, Run())
    path = next((folder.path / "runs").iterdir())
    table = pq.read_table(path).replace_schema_metadata({"study.format": "99"})
    pq.write_table(table, path)
    with pytest.raises(BadInput, match="format 1, found '99'"):
        study.load(folder.path)


def test_a_study_without_ended_runs_gives_empty_frames_with_columns(folder: Folder) -> None:
    runs, history = study.load(folder.path)
    assert len(runs) == len(history) == 0
    assert "data.label_noise" in runs
    assert "test_accuracy" in history


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no study\.yaml"):
        study.load(tmp_path)


def test_the_old_file_stands_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_files_have_the_rights_that_the_user_s_files_have(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_bytes(b"")
    write_whole(tmp_path / "whole", b"")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_what_a_kill_left_half_written_makes_no_folder_foreign(tmp_path: Path) -> None:
    left = tmp_path / ".study.yaml.abc.part"
    left.write_text("")
    os.utime(left, (0, 0))
    fresh = tmp_path / ".study.yaml.def.part"
    fresh.write_text("")
    Folder(tmp_path, "study").begin("name: study\n")
    take_leftovers_away(tmp_path)
    assert not left.exists()
    assert fresh.exists()
