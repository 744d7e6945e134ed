"""A study's runs in W&B, by the real client against a server of the tests' own."""

from __future__ import annotations

import itertools
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import alone
import pandas as pd
import pytest
import yaml
from campaign import wait_until
from helpers import SMALL, fit_process
from loopback import Loopback
from paced import paced

import study
from study.config import read
from study.records import load_images, load_predictions
from study.wandb.content import Content, Fetched
from study.wandb.ledger import Ledger
from study.wandb.process import Courier
from study.wandb.restore import fault_of, restore

KEY = "5ec2e7" + "0" * 34


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("mode: off", "mode: online, entity: lab, tags: [a, b]"))
    return path


def environment(server: Loopback | None, tmp_path: Path) -> dict[str, str]:
    """Return what a client needs to find the server, and nothing of the user's."""
    own = {"HOME": str(tmp_path), "WANDB_API_KEY": KEY, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    # A server has rows soon, as after minutes of a real training: the client sends them every 15 s,
    # or so many, in whole seconds.
    own["WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL"] = "1"
    return {**own, **(server.environment if server else {}), "WANDB_API_KEY": KEY}


def fit(
    server: Loopback | None, config: Path, out: Path, *more: str, status: int = 0, limit: int = 120
) -> str:
    """Train in a process of its own and return what it printed."""
    log = out.with_suffix(".log")
    argv = ["--config", str(config), "--out", str(out), *more]
    process = fit_process(argv, log, environment(server, config.parent))
    process.join(limit)
    said = log.read_text()
    assert process.exitcode == status, said
    return said


def client(server: Loopback, tmp_path: Path, command: str) -> str:
    """Run a command line as its user would, and return what it printed."""
    program = command.replace("wandb sync", f"{shlex.quote(sys.executable)} -m wandb sync", 1)
    done = subprocess.run(
        ["bash", "-c", program.replace("python ", f"{shlex.quote(sys.executable)} ", 1)],
        env={**os.environ, **environment(server, tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def equal(ours: Path, theirs: Path) -> None:
    """Compare two folders' records value for value."""
    for a, b in zip(study.load(ours), study.load(theirs), strict=True):
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    said = [load_predictions(f).sort_values(["run", "part", "example"]) for f in (ours, theirs)]
    pd.testing.assert_frame_equal(*(s.reset_index(drop=True) for s in said), check_exact=True)
    assert load_images(ours).keys() == load_images(theirs).keys()
    names = [sorted(p.name for p in (f / "environment").iterdir()) for f in (ours, theirs)]
    assert names[0] == names[1]
    assert (ours / "study.yaml").read_text() == (theirs / "study.yaml").read_text()


def pull(server: Loopback, tmp_path: Path) -> Path:
    out = tmp_path / "pulled"
    shutil.rmtree(out, ignore_errors=True)
    client(server, tmp_path, f"python -m study.wandb pull lab/study/small --out '{out}'")
    return out


def whole_once(server: Loopback, out: Path) -> None:
    """Check that each recorded run is there under its own id, every epoch once and in order."""
    runs, history = study.load(out)
    for row in runs.to_dict("records"):
        there = server.runs[row["run"]]
        epochs = history[history["run"] == row["run"]]["epoch"].tolist()
        assert [each["epoch"] for each in there.history] == epochs
        assert [each["_step"] for each in there.history] == epochs
        assert (there.state, there.summary["status"]) == ("finished", row["status"])


def shows_no_key(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_sixteen_runs_arrive_whole_and_come_back_value_for_value(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    with Loopback() as server:
        said = fit(server, config, out, "--seeds", "8")
        assert f"W&B: {server.url}/lab/study, group small" in said
        runs, history = study.load(out)
        assert len(runs) == len(server.runs) == 16
        whole_once(server, out)
        for row in runs.to_dict("records"):
            there = server.runs[row["run"]]
            facts = study.Run.of(study.records.json.loads(row["facts"])).facts()
            assert there.config["data"]["label_noise"] == facts["data.label_noise"]
            assert there.config["optimizer"]["lr"] == facts["optimizer.lr"]
            assert there.config["labels_hash"] == row["labels_hash"]
            assert there.config["environment"]["stacking"] == "bitwise"
            assert (there.group, there.tags) == ("small", ["a", "b"])
            assert there.job_type == f"label_noise {facts['data.label_noise']:g}"
            last = history[history["run"] == row["run"]].iloc[-1]
            assert there.summary["test_accuracy"] == last["test_accuracy"]
            assert there.summary["weights_hash"] == row["weights_hash"]
        equal(out, pull(server, tmp_path))
        requests = len(server.requests)
        assert "recorded already" in fit(server, config, out, "--seeds", "8")
        assert len(server.requests) == requests
    shows_no_key(tmp_path)


ALONE = ["unshare", "--map-root-user", "--net", "--mount", sys.executable, alone.__file__]


def test_offline_asks_for_no_name_needs_no_interface_and_reads_back_value_for_value(
    config: Path, tmp_path: Path
) -> None:
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs namespaces of networks and mounts, which this system does not allow")
    looks_up = [sys.executable, "-c", "import socket; socket.getaddrinfo('api.wandb.ai', 443)"]
    done = subprocess.run([*ALONE, *looks_up], capture_output=True, text=True, check=False)
    assert "asked for a name: api.wandb.ai" in done.stderr
    out, back = tmp_path / "my results", tmp_path / "back"
    base = [*ALONE, sys.executable, "-m"]
    argv = ["study.fit", "--config", str(config), "--wandb.mode", "offline", "--out", str(out)]
    bare = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([*base, *argv], env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "login" not in (done.stdout + done.stderr).lower()
    assert "asked for a name" not in done.stderr
    runs, _ = study.load(out)
    assert Ledger(out).offline_ids() == set(runs["run"])
    argv = ["study.wandb", "read", str(out), "--out", str(back)]
    subprocess.run([*base, *argv], env=bare, check=True, capture_output=True)
    equal(out, back)
    shows_no_key(out)


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


@pytest.mark.parametrize(
    "name",
    ["401 after 14", *(pytest.param(fault, marks=pytest.mark.slow) for fault in FAULTS)],
)
def test_a_server_that_fails_stops_nothing_and_loses_nothing(
    name: str, config: Path, tmp_path: Path
) -> None:
    out, plain = tmp_path / "results", tmp_path / "plain"
    began = time.monotonic()
    fit(None, config, plain, "--wandb.mode", "off")
    without = time.monotonic() - began
    with Loopback() as server:
        fault(server, name)
        began = time.monotonic()
        said = fit(server, config, out)
        assert time.monotonic() - began - without < 15
        lines = [line for line in said.splitlines() if "going on offline" in line]
        assert len(lines) == 1
        assert KEY not in said
        for ours, theirs in zip(study.load(out), study.load(plain), strict=True):
            pd.testing.assert_frame_equal(
                *(t.drop(columns=["seconds"], errors="ignore") for t in (ours, theirs))
            )
        if not server._server:
            server.revive()
        server.fault, server._left = None, None
        sync = lines[0].rpartition("later: ")[2]
        assert sync.startswith("wandb sync ")
        client(server, tmp_path, sync)
        equal(out, pull(server, tmp_path))
    shows_no_key(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_killed_and_resumed_goes_on_in_the_same_run_without_gap_or_repetition(
    mode: str, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    pace, moments = tmp_path / "pace", random.Random(0)
    config.write_text(paced(config.read_text(), 200, pace))
    argv = ["--config", str(config), "--out", str(out), "--wandb.mode", mode]
    with Loopback() as server:

        def done() -> int:
            """Return how many epochs have arrived; offline, where none does yet, were trained."""
            arrived = sum(len(run.history) for run in list(server.runs.values()))
            return arrived if mode == "online" else pace.stat().st_size

        for _ in range(4):
            enough = done() + moments.randint(1, 60)
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
    config.write_text(paced(config.read_text(), 150, pace))
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


@pytest.mark.slow
def test_a_rerun_from_scratch_gets_new_ids_and_touches_no_earlier_run(
    config: Path, tmp_path: Path
) -> None:
    with Loopback() as server:
        fit(server, config, tmp_path / "first")
        before = {name: list(run.chunks) for name, run in server.runs.items()}
        fit(server, config, tmp_path / "second")
        fit(server, config, tmp_path / "third")
        ids = {f"{name}{number}" for name in before for number in ("", "-2", "-3")}
        assert set(server.runs) == ids
        assert {name: server.runs[name].chunks for name in before} == before
        for wandb_id in ids:
            assert [row["epoch"] for row in server.runs[wandb_id].history] == list(range(7))


@pytest.mark.slow
def test_ids_of_runs_that_were_deleted_are_not_asked_for_again(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    ids = [run.id for run in read(["--config", str(config)]).study.runs]
    with Loopback() as server:
        server.deleted = set(ids[:2])
        assert "going on offline" not in fit(server, config, out)
        assert set(server.runs) == {*(f"{run}-2" for run in ids[:2]), *ids[2:]}
        equal(out, pull(server, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("path", ["file_stream"])
def test_what_the_server_silently_does_not_take_is_written_offline(
    path: str, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    with Loopback() as server:
        server.forbidden = {path}
        assert "4 runs did not arrive whole; going on offline" in fit(server, config, out)
        server.forbidden = set()
        client(server, tmp_path, f"wandb sync '{out}'/wandb/offline-run-*")
        equal(out, pull(server, tmp_path))


@pytest.mark.parametrize("epochs", [[], [0, 1, 2], [0, 1, 3], [1, 2, 3]])
def test_a_run_whose_history_is_not_whole_gives_no_records(
    epochs: list[int], tmp_path: Path
) -> None:
    record = {"study": "name: small\nseeds: 2\n"}
    rows = [{"epoch": epoch} for epoch in epochs]
    config = {"record": record, "evaluate_every": 1, "run": "a"}
    fetched = Fetched("a", config, rows, {"status": "fitted", "epoch": 3}, [], [])
    with pytest.raises(study.BadInput, match="a: its history lacks"):
        restore([fetched], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_studies_of_one_group_are_not_mixed() -> None:
    config = {"record": {"study": "name: other\n"}, "evaluate_every": 1, "run": "a"}
    fetched = Fetched("a", config, [{"epoch": 0}], {"status": "fitted", "epoch": 0}, [], [])
    assert fault_of(fetched, "") == ""
    assert fault_of(fetched, "small") == "a run of the study other, not of small"


@pytest.mark.slow
def test_two_processes_on_one_folder_write_each_run_once(config: Path, tmp_path: Path) -> None:
    with Loopback() as server:
        argv = ["--config", str(config), "--out", str(tmp_path / "two"), "--seeds", "6"]
        log = tmp_path / "log"
        both = [fit_process(argv, log, environment(server, tmp_path)) for _ in range(2)]
        for process in both:
            process.join(120)
            assert process.exitcode == 0, log.read_text()
        assert len(server.runs) == 12
        whole_once(server, tmp_path / "two")


def test_what_a_kill_kept_from_wandb_is_written_at_the_next_start(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    fit(None, config, out, "--wandb.mode", "offline", "--seeds", "1")
    places = sorted((out / "wandb").glob("offline-run-*"))
    shutil.rmtree(places[0])
    lost = places[0].name.rpartition("-")[2]
    fit(None, config, out, "--wandb.mode", "offline", "--seeds", "1")
    after = sorted((out / "wandb").glob("offline-run-*"))
    assert places[1] in after
    assert len(after) == 2
    assert sum(place.name.endswith(lost) for place in after) == 1
    assert list((out / "claims").iterdir()) == []
    back = tmp_path / "back"
    assert study_wandb("read", str(out / "wandb"), "--out", str(back)) == 0
    equal(out, back)


def test_a_courier_whose_training_is_killed_while_it_closes_writes_no_more(tmp_path: Path) -> None:
    settings = {"project": "p", "entity": None, "group": "g", "job_type": "j", "name": "n"}
    courier = Courier("offline", tmp_path)
    for number in range(100):
        row = {"run": f"r{number}", "epoch": 0, "train_accuracy": 0.5}
        content = Content(f"r{number}", settings, {}, [row], {"status": "fitted"}, [], [])
        courier.send({"do": "end", "content": content._asdict()})
    courier.send({"do": "close"})
    while not (published := courier.news()[0]):
        time.sleep(0.01)
    assert courier._process.stdin is not None
    courier._process.stdin.close()  # as the system does for one that was killed
    assert courier._process.wait(10) == 1
    written = Ledger(tmp_path).offline_ids()
    assert set(published) <= written
    assert len(written) < 100
    courier.kill()


def study_wandb(*argv: str) -> int:
    from study.wandb.__main__ import main

    return main(argv)


def test_other_lightning_loggers_work_beside_it(config: Path, tmp_path: Path) -> None:
    out, logs = tmp_path / "results", tmp_path / "logs"
    config.write_text(
        SMALL.replace("mode: off", "mode: offline").replace(
            "max_epochs: 6",
            "max_epochs: 6, logger: [{class_path: pytorch_lightning.loggers.CSVLogger, "
            f"init_args: {{save_dir: '{logs}', name: csv}}}}]",
        )
    )
    fit(None, config, out)
    (metrics,) = logs.rglob("metrics.csv")
    assert "train_accuracy" in metrics.read_text()
    assert len(Ledger(out).offline_ids()) == 4


def test_a_sweep_s_agent_trains_a_stack_and_its_run_has_the_means(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    with Loopback() as server:
        agent = {"WANDB_SWEEP_ID": "s1", "WANDB_RUN_ID": "agents", "WANDB_PROJECT": "study"}
        argv = ["--config", str(config), "--out", str(out)]
        log = tmp_path / "log"
        process = fit_process(argv, log, environment(server, tmp_path) | agent)
        process.join(120)
        assert process.exitcode == 0, log.read_text()
        whole_once(server, out)
        assert len(server.runs) == 5
        _, history = study.load(out)
        means = history[history["epoch"] == 6].mean(numeric_only=True)
        summary = server.runs["agents"].summary
        assert summary["test_accuracy"] == pytest.approx(means["test_accuracy"])
        assert server.runs["agents"].state == "finished"


def test_the_shipped_sweep_gives_the_arms_of_its_config() -> None:
    sweep = yaml.safe_load(Path("configs/wandb_sweep.yaml").read_text())
    grid = {key: value["values"] for key, value in sweep["parameters"].items()}
    ids = []
    for values in itertools.product(*grid.values()):
        args = [f"--{key}={value}" for key, value in zip(grid, values, strict=True)]
        argv = sweep["command"][3:-1] + args  # as the agent puts them in the place of ${args}
        assert sweep["command"][-1] == "${args}"
        ids += [run.id for run in read(argv).study.runs]
    whole = read(["--config", "configs/softmax.yaml"]).study
    assert sorted(ids) == sorted(run.id for run in whole.runs)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("lab", "pull: expected ENTITY/PROJECT/GROUP, found 'lab'"),
        ("lab/study/other", "pull: expected runs of lab/study/other, found 0"),
    ],
)
def test_pulling_what_is_not_there_is_one_line(source: str, complaint: str, tmp_path: Path) -> None:
    with Loopback() as server:
        done = subprocess.run(
            [sys.executable, "-m", "study.wandb", "pull", source, "--out", str(tmp_path / "out")],
            env={**os.environ, **environment(server, tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_reading_what_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected folders offline-run-*, found 0" in capsys.readouterr().err
    (tmp_path / ".writing-1" / "wandb" / "offline-run-1-a").mkdir(parents=True)
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected folders offline-run-*, found 0" in capsys.readouterr().err
    (tmp_path / "offline-run-1-a").mkdir()
    (tmp_path / "offline-run-1-a" / "run-a.wandb").write_bytes(b"something else")
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected a file of an offline W&B run" in capsys.readouterr().err
