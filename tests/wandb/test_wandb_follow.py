"""`study wandb follow` and `push` read a study's folder, whoever trains it."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from campaign import wait_until
from helpers import fit_process
from loopback import Loopback
from paced import paced
from wandb_client import again, environment, equal, fit, online_config, pull, whole_once

import study
from study.base.errors import BadInput
from study.records.live import FOLDER
from study.records.once import without
from study.records.parquet import part_names, remove_part, tables_in, write_part
from study.runs.command_line import read
from study.wandb.follow import Sending, send
from study.wandb.ledger import BEGUN, Ledger
from study.wandb.source import Source


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return online_config(tmp_path)


@pytest.mark.slow
def test_push_sends_what_is_there_with_the_training_s_times_and_only_once(
    config: Path, tmp_path: Path
) -> None:
    out, began = tmp_path / "my results", time.time()
    fit(None, config, out, "--wandb.mode", "off")
    trained = time.time()
    with Loopback() as server:
        assert "4 runs sent" in again(server, tmp_path, f"study wandb push '{out}'")
        whole_once(server, out)
        seconds = study.load(out).runs.set_index("run")["seconds"]
        for name, run in server.runs.items():
            times = [row["_timestamp"] for row in run.history]
            assert times == sorted(times)
            assert began <= times[0] <= times[-1] <= trained
            logged = [row["train_seconds"] for row in run.history]
            assert logged[0] == 0
            assert logged[-1] == pytest.approx(seconds[name.partition("-")[0]])
        requests = len(server.requests)
        assert "0 runs sent" in again(server, tmp_path, f"study wandb push '{out}'")
        assert len(server.requests) == requests
        equal(out, pull(server, tmp_path))


@pytest.mark.slow
def test_a_study_is_followed_live_by_whoever_reads_its_folder(config: Path, tmp_path: Path) -> None:
    out, pace = tmp_path / "results", tmp_path / "pace"
    config.write_text(paced(config.read_text(), 60, pace, 0.3))
    argv = ["--config", str(config), "--out", str(out), "--wandb.mode", "off"]
    with Loopback() as server:
        own = environment(server, tmp_path) | {"WANDB_X_STATS_SAMPLING_INTERVAL": "0.2"}
        training = fit_process(argv, tmp_path / "log", own)
        assert wait_until(lambda: list((out / FOLDER).glob("*.jsonl")) != [], training)
        began, log = time.time(), tmp_path / "follow.log"
        module = "study.wandb.__main__"
        followers = [
            fit_process(["follow", str(out)], log.with_suffix(f".{number}"), own, command=module)
            for number in range(2)
        ]
        assert wait_until(
            lambda: len(server.runs) == 4 and all(r.history for r in server.runs.values()), training
        )
        assert {run.state for run in server.runs.values()} == {"running"}
        pace.unlink()
        for process in (training, *followers):
            process.join(60)
        assert sorted(process.exitcode for process in followers) == [0, 2]
        whole_once(server, out)
        for run in server.runs.values():
            assert run.events > 0
            last = run.history[-2]["_timestamp"]
            assert began < last < time.time()


FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"


def recorded(place: Path) -> Path:
    """Return a folder with four recorded runs."""
    return Path(shutil.copytree(FORMAT1, place / "results"))


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "every lock is granted"])
def test_a_task_s_follower_sends_that_task_s_runs_alone(
    locks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = recorded(tmp_path)
    ids = sorted(study.load(out).runs["run"])
    if not locks:
        monkeypatch.setattr("study.sharing.locks.Locks.take", lambda self, name: True)
        monkeypatch.setattr("study.sharing.locks.Locks.release", lambda self, names: None)
    tasks = {"a" * 12: ids[:2], "b" * 12: ids[2:3]}
    for task, runs in tasks.items():
        start = {"task": task, "share": "1/2", "began": 1e9, "host": "h", "pid": 1, "job": None}
        lines = [{**start}, {"seconds": 1.0, "rows": [{"run": run, "epoch": 0} for run in runs]}]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (out / FOLDER).mkdir(exist_ok=True)
        (out / FOLDER / f"{task}.jsonl").write_text(text)
    for task, before in (("a" * 12, []), ("b" * 12, ids[3:])):
        sending = Sending(Source(out, task), before=before)
        sending.look()
    mark = Ledger(out).mark()
    assert len(list((out / "wandb").glob("offline-run-*"))) == 4
    assert Ledger(out).offline_ids() == {f"{run}-{mark}" for run in ids}


def damaged_history(out: Path) -> str:
    """Split a folder's part in two, damage one run's history inside, and return that run."""
    (name,) = part_names(out)
    tables = tables_in(out, name)
    first, *others = sorted(tables["runs"]["run"].to_pylist())
    remove_part(out, name)
    write_part(out, {kind: without(table, [first]) for kind, table in tables.items()})
    path = out / "history" / f"{write_part(out, _only(tables, others))}.parquet"
    content = bytearray(path.read_bytes())
    columns = pq.ParquetFile(path).metadata.row_group(0)
    for column in map(columns.column, range(columns.num_columns)):
        if column.path_in_schema == "test_accuracy":  # which no check of a part's end reads
            start = column.dictionary_page_offset or column.data_page_offset
            for place in range(start, start + column.total_compressed_size):
                content[place] ^= 0xFF
    path.write_bytes(content)
    return str(first)


def _only(tables: Mapping[str, pa.Table], others: Sequence[str]) -> dict[str, pa.Table]:
    return {kind: without(table, others) for kind, table in tables.items()}


@pytest.mark.parametrize("more", ["", " --offline"])
def test_a_record_that_cannot_be_read_keeps_no_other_from_being_sent(
    more: str, tmp_path: Path
) -> None:
    out = recorded(tmp_path)
    ids = set(study.load(out).runs["run"])
    damaged = damaged_history(out)
    with Loopback() as server:
        said = again(server, tmp_path, f"study wandb push {shlex.quote(str(out))}{more}")
        assert "3 runs " in said
        assert "began on the server" not in said
        assert len(server.runs) == (0 if more else 3)
    assert Ledger(out).published() == ids - {damaged}


def test_a_folder_has_one_follower_of_all_its_runs(tmp_path: Path) -> None:
    out = recorded(tmp_path)
    first = Sending(Source(out))
    with pytest.raises(BadInput, match="expected a folder that nobody follows"):
        Sending(Source(out))
    Sending(Source(out, "a" * 12))
    first.locks.close()
    Sending(Source(out))


def test_files_are_written_of_all_runs_but_those_that_go_on_on_the_server_which_are_named(
    tmp_path: Path,
) -> None:
    out, said = recorded(tmp_path), list[str]()
    (out / "study.1.yaml").symlink_to(tmp_path / "gone")
    run = study.load(out).runs["run"][0]
    Ledger(out).mark()
    Ledger(out).note(run, run, BEGUN)
    over = Event()
    over.set()
    assert send(out, said.append, over, offline=True) == 3
    [line] = said
    advice, _, forget = line.partition("; if it is gone for good, ")
    assert advice == f"W&B: 1 run began on the server: study wandb push {out}"
    command, folder = forget.removesuffix(" forgets it").rsplit(" ", 1)
    assert command == "rm -r"
    shutil.rmtree(folder)
    said.clear()
    assert send(out, said.append, over, offline=True) == 1
    mark = Ledger(out).mark()
    assert Ledger(out).offline_ids() == {f"{each}-{mark}" for each in study.load(out).runs["run"]}
    assert said == []


def test_wandb_s_own_variables_hold_unless_the_study_says_otherwise(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "WANDB_MODE": "disabled",
        "WANDB_PROJECT": "softmax",
        "WANDB_ENTITY": "theirs",
        "WANDB_RUN_GROUP": "first try",
    }.items():
        monkeypatch.setenv(name, value)
    own = read(["--config", str(config)]).study.wandb
    assert (own.mode, own.project, own.entity, own.group) == (
        "online",
        "softmax",
        "lab",
        "first try",
    )
    assert read([]).study.wandb.mode == "off"
    assert read(["--wandb.project", "option"]).study.wandb.project == "option"
    monkeypatch.setenv("WANDB_MODE", "shared")
    with pytest.raises(BadInput, match=r"wandb.mode: expected one of .*; in WANDB_MODE"):
        read([])


def test_nothing_that_a_folder_names_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = recorded(tmp_path)
    (tmp_path / "hostile_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = (out / "study.yaml").read_text()
    assert "class_path: study.Adam" in text
    callbacks = "callbacks: [{class_path: hostile_module.Thing, init_args: {}}]"
    text = text.replace("callbacks: []", callbacks).replace("dataset: digits", DATASET)
    (out / "study.yaml").write_text(text)
    assert callbacks in text
    sending = Sending(Source(out))
    sending.look()
    assert len(Ledger(out).offline_ids()) == 4


DATASET = "dataset: 'hostile_module:data'"
