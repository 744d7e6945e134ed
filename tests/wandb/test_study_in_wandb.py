"""A study's runs in W&B, by the real client against a server of the tests' own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import alone
import pytest
import yaml
from helpers import SMALL, fit_process
from loopback import Loopback
from wandb_client import (
    environment,
    equal,
    fit,
    online_config,
    pull,
    shows_no_key,
    whole_once,
)

import study
from study.runs.command_line import read
from study.wandb.ledger import Ledger
from study.wandb.writing import ANSWERS


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return online_config(tmp_path)


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
        mark = Ledger(out).mark()
        for row in runs.to_dict("records"):
            there = server.runs[f"{row['run']}-{mark}"]
            facts = study.Run.of(json.loads(row["facts"])).facts()
            assert there.config["data"]["label_noise"] == facts["data.label_noise"]
            assert there.config["optimizer"]["lr"] == facts["optimizer.lr"]
            assert there.config["labels_hash"] == row["labels_hash"]
            assert there.config["environment"]["stacking"] == "bitwise"
            noise = f"label_noise {facts['data.label_noise']:g}"
            assert (there.group, there.tags) == ("small", ["a", "b", noise])
            assert there.job_type == f"label_noise {facts['data.label_noise']:g}"
            assert there.name == f"{there.job_type}, seed {row['seed']}"
            assert f"study fit --config {out}/study.yaml --seeds '[{row['seed']}]'" in there.notes
            its = history[history["run"] == row["run"]]
            last = its.iloc[-1]
            assert there.summary["test_accuracy"] == last["test_accuracy"]
            assert there.summary["weights_hash"] == row["weights_hash"]
            assert there.summary["train_seconds"] == row["seconds"]
            table = there.summary["predictions"]
            assert (table["_type"], table["nrows"]) == ("table-file", 560)
            rows = json.loads(there.files[table["path"]])
            assert rows["columns"] == ANSWERS
            assert {each[0] for each in rows["data"][:200]} == {"train"}
        equal(out, pull(server, tmp_path))
        requests = len(server.requests)
        assert "recorded already" in fit(server, config, out, "--seeds", "8")
        assert len(server.requests) == requests
    shows_no_key(tmp_path)


ALONE = ["unshare", "--map-root-user", "--net", "--mount", sys.executable, alone.__file__]


@pytest.mark.slow
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
    mark = Ledger(out).mark()
    assert Ledger(out).offline_ids() == {f"{run}-{mark}" for run in runs["run"]}
    argv = ["study.wandb", "read", str(out), "--out", str(back)]
    subprocess.run([*base, *argv], env=bare, check=True, capture_output=True)
    equal(out, back)
    shows_no_key(out)


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


def test_a_sweep_s_agent_gets_its_run_with_the_means_whatever_is_left_to_train(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    with Loopback() as server:
        for name in ("trains", "finds-everything"):
            agent = {"WANDB_SWEEP_ID": "s1", "WANDB_RUN_ID": name, "WANDB_PROJECT": "study"}
            argv = ["--config", str(config), "--out", str(out)]
            log = tmp_path / "log"
            process = fit_process(argv, log, environment(server, tmp_path) | agent)
            process.join(120)
            assert process.exitcode == 0, log.read_text()
            whole_once(server, out)
            _, history = study.load(out)
            means = history[history["epoch"] == 6].mean(numeric_only=True)
            summary = server.runs[name].summary
            assert summary["test_accuracy"] == pytest.approx(means["test_accuracy"])
            assert server.runs[name].state == "finished"
        assert len(server.runs) == 6


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
