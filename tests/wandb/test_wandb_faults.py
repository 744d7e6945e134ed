"""Servers that fail, and trainings that are killed: nothing of a run is lost in W&B, or twice."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from campaign import wait_until
from helpers import fit_process
from loopback import Loopback
from paced import paced
from wandb_client import (
    KEY,
    again,
    client,
    environment,
    equal,
    fit,
    online_config,
    pull,
    shows_no_key,
    study_wandb,
    whole_once,
)

import study
from study.wandb.ledger import Ledger


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return online_config(tmp_path)


def fault(server: Loopback, name: str) -> None:
    """Let the server fail from the start, or after some requests."""
    kind, _, after = name.partition(" after ")
    if after:
        server.fail_after(int(after), kind)  # type: ignore[arg-type]
    elif kind == "refuse":
        server.die()
    else:
        server.fault = kind  # type: ignore[assignment]


FAULTS = ["refuse", "401", "500", "hang", "die after 12", "500 after 14", "hang after 14"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Train the study without W&B; return its folder and how long it took."""
    folder = tmp_path_factory.mktemp("plain")
    began = time.monotonic()
    fit(None, online_config(folder), folder / "plain", "--wandb.mode", "off")
    return folder / "plain", time.monotonic() - began


@pytest.mark.parametrize(
    "name",
    ["401 after 14", *(pytest.param(fault, marks=pytest.mark.slow) for fault in FAULTS)],
)
def test_a_server_that_fails_stops_nothing_and_loses_nothing(
    name: str, plain: tuple[Path, float], config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    undisturbed, without = plain
    with Loopback() as server:
        fault(server, name)
        began = time.monotonic()
        said = fit(server, config, out)
        assert time.monotonic() - began - without < 15
        lines = [line for line in said.splitlines() if "nothing is lost; later: " in line]
        assert len(lines) == 1
        assert KEY not in said
        for ours, theirs in zip(study.load(out), study.load(undisturbed), strict=True):
            pd.testing.assert_frame_equal(
                *(t.drop(columns=["seconds"], errors="ignore") for t in (ours, theirs))
            )
        if not server._server:
            server.revive()
        server.fault, server._left = None, None
        command = lines[0].rpartition("later: ")[2]
        assert command == f"study wandb push {out}"
        again(server, tmp_path, command)
        whole_once(server, out)
        assert len(server.runs) == 4
        equal(out, pull(server, tmp_path))
    shows_no_key(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_killed_and_resumed_goes_on_in_the_same_run_without_gap_or_repetition(
    mode: str, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    pace, moments = tmp_path / "pace", random.Random(0)
    config.write_text(paced(config.read_text(), 200, pace, 0.1 if mode == "online" else 0.03))
    argv = ["--config", str(config), "--out", str(out), "--wandb.mode", mode]
    with Loopback() as server:

        def done() -> int:
            """Return how many epochs have arrived; offline, where none does yet, were trained."""
            arrived = sum(len(run.history) for run in list(server.runs.values()))
            return arrived if mode == "online" else pace.stat().st_size

        for _ in range(4):
            enough = done() + moments.randint(1, 40)
            process = fit_process(argv, tmp_path / "log", environment(server, tmp_path))
            assert wait_until(lambda enough=enough: done() >= enough, process)
            process.kill()
            process.join()
        pace.unlink()
        fit(server, config, out, *argv[4:])
        if mode == "offline":
            assert len(list((out / "wandb").glob("offline-run-*"))) == 4
            client(server, tmp_path, f"wandb sync '{out}'/wandb/offline-run-*")
        whole_once(server, out)
        assert len(server.runs) == 4
        equal(out, pull(server, tmp_path))


@pytest.mark.slow
def test_stopped_by_a_signal_and_resumed_goes_on_in_the_same_run(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    pace = tmp_path / "pace"
    config.write_text(paced(config.read_text(), 60, pace, 0.5))
    with Loopback() as server:
        argv = ["--config", str(config), "--out", str(out)]
        process = fit_process(argv, tmp_path / "log", environment(server, tmp_path))
        assert wait_until(lambda: len(server.runs) == 4, process)
        process.terminate()
        process.join(60)
        assert process.exitcode == 130
        assert {run.state for run in server.runs.values()} == {"failed"}
        pace.unlink()
        fit(server, config, out)
        whole_once(server, out)
        assert len(server.runs) == 4


def process_of(words: str) -> int:
    """Return the number of the process whose command line has some words in it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # ended meanwhile
            if words.encode() in path.read_bytes():
                return int(path.parent.name)
    raise LookupError(words)


@pytest.mark.slow
def test_a_follower_that_is_killed_costs_the_training_nothing(config: Path, tmp_path: Path) -> None:
    out, pace = tmp_path / "results", tmp_path / "pace"
    config.write_text(paced(config.read_text(), 60, pace, 0.5))
    with Loopback() as server:
        argv = ["--config", str(config), "--out", str(out)]
        process = fit_process(argv, tmp_path / "log", environment(server, tmp_path))
        assert wait_until(lambda: len(server.runs) == 4, process)
        os.kill(process_of(f"study.wandb\0follow\0{out}\0"), signal.SIGKILL)
        pace.unlink()
        process.join(60)
        assert process.exitcode == 0
        said = (tmp_path / "log").read_text()
        assert f"4 runs did not arrive, nothing is lost; later: study wandb push {out}" in said
        again(server, tmp_path, f"study wandb push {out}")
        whole_once(server, out)
        assert len(server.runs) == 4


@pytest.mark.slow
def test_studies_with_the_same_runs_never_meet(config: Path, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("first", "second")]
    with Loopback() as server:
        for place in places:
            before = {name: list(run.chunks) for name, run in server.runs.items()}
            fit(server, config, place, "--name", place.name)
            assert {name: server.runs[name].chunks for name in before} == before
            whole_once(server, place)
        # A third one meets neither from files.
        fit(server, config, tmp_path / "third", "--wandb.mode", "offline")
        client(server, tmp_path, f"wandb sync '{tmp_path}'/third/wandb/offline-run-*")
        assert len(server.runs) == 12
        assert {run.group for run in server.runs.values()} == {"first", "second", "small"}


def recorded(config: Path, out: Path) -> list[str]:
    """Train the study without W&B and return its runs' ids."""
    fit(None, config, out, "--wandb.mode", "off")
    return sorted(study.load(out).runs["run"])


@pytest.mark.slow
def test_ids_of_runs_that_were_deleted_are_not_asked_for_again(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    ids, mark = recorded(config, out), Ledger(out).mark()
    with Loopback() as server:
        server.deleted = {f"{ids[0]}-{mark}", f"{ids[0]}-{mark}-2"}
        again(server, tmp_path, f"study wandb push {out}")
        wanted = {f"{ids[0]}-{mark}-3", *(f"{run}-{mark}" for run in ids[1:])}
        assert set(server.runs) == wanted
        equal(out, pull(server, tmp_path))


def test_runs_that_an_earlier_version_sent_keep_their_plain_ids(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    asked, begun, finished, written = recorded(config, out)
    ledger, mark = Ledger(out), Ledger(out).mark()
    for run, state in ((asked, "asked"), (begun, "begun"), (finished, "finished")):
        ledger.note(run, run, state)
    (out / "wandb" / f"offline-run-20261123_174959-{written}").mkdir()
    with Loopback() as server:
        said = again(server, tmp_path, f"study wandb push {out}")
        assert set(server.runs) == {f"{asked}-{mark}", begun}
        assert f"{out}: 2 runs sent" in said
        # Nor are they written as files.
        assert f"{out}: 0 runs written" in again(
            server, tmp_path, f"study wandb push {out} --offline"
        )


@pytest.mark.slow
def test_a_server_that_cannot_be_read_after_an_upload_gets_nothing_twice(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    recorded(config, out)
    with Loopback() as server:
        server.forbidden = {"Runs"}
        said = again(server, tmp_path, f"study wandb push {out}", status=1)
        again_or_files = f"study wandb push {out}, or with --offline as files"
        assert f"nothing is lost; again: {again_or_files}" in said
        assert [run.state for run in server.runs.values()] == ["finished"] * 4
        server.forbidden = set()
        before = [request for request in server.requests if "upload" in request]
        chunks = {name: list(run.chunks) for name, run in server.runs.items()}
        again(server, tmp_path, f"study wandb push {out}")
        assert [request for request in server.requests if "upload" in request] == before
        assert {name: run.chunks for name, run in server.runs.items()} == chunks
        whole_once(server, out)


@pytest.mark.slow
def test_files_that_the_server_does_not_take_are_named_when_they_are_missed(
    config: Path, tmp_path: Path
) -> None:
    with Loopback() as server:
        server.forbidden = {"/upload/"}
        fit(server, config, tmp_path / "results")
        pull(server, tmp_path)
    told = (tmp_path / "pull.log").read_text()
    assert told.count("its predictions, which are missing") == 4


@pytest.mark.slow
def test_what_the_server_silently_does_not_take_is_sent_later(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    with Loopback() as server:
        server.forbidden = {"file_stream"}
        assert "4 runs did not arrive" in fit(server, config, out)
        server.forbidden = set()
        again(server, tmp_path, f"study wandb push {out}")
        whole_once(server, out)
        equal(out, pull(server, tmp_path))


@pytest.mark.slow
def test_two_processes_on_one_folder_write_each_run_once(config: Path, tmp_path: Path) -> None:
    with Loopback() as server:
        argv = ["--config", str(config), "--out", str(tmp_path / "two"), "--seeds", "6"]
        log = tmp_path / "log"
        both = [fit_process(argv, log, environment(server, tmp_path)) for _ in range(2)]
        for process in both:
            process.join(120)
            assert process.exitcode == 0, log.read_text()
        # On a busy machine not everything arrives while a training waits.
        again(server, tmp_path, f"study wandb push {tmp_path / 'two'}")
        assert len(server.runs) == 12
        whole_once(server, tmp_path / "two")


def test_what_a_kill_kept_from_wandb_is_written_at_the_next_start(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    fit(None, config, out, "--wandb.mode", "offline", "--seeds", "1")
    places = sorted((out / "wandb").glob("offline-run-*"))
    shutil.rmtree(places[0])
    lost = places[0].name.split("-", 3)[3]
    fit(None, config, out, "--wandb.mode", "offline", "--seeds", "1")
    after = sorted((out / "wandb").glob("offline-run-*"))
    assert places[1] in after
    assert len(after) == 2
    assert sum(place.name.endswith(lost) for place in after) == 1
    back = tmp_path / "back"
    assert study_wandb("read", str(out / "wandb"), "--out", str(back)) == 0
    equal(out, back)
