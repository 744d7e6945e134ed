"""W&B as a user of it: a study that is sent there, its commands, and what came of them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from helpers import SMALL, fit_process
from loopback import Loopback

import study
from study.records.predictions import load_predictions
from study.records.reading import load_images
from study.wandb.ledger import Ledger

KEY = "5ec2e7" + "0" * 34


def online_config(folder: Path) -> Path:
    """Write the config of a small study that is sent to W&B, and return its path."""
    path = folder / "small.yaml"
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
    # Only the first word is replaced: this interpreter's own path may contain the others.
    program, _, arguments = command.partition(" ")
    assert program == "wandb"
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -m wandb {arguments}"],
        env={**os.environ, **environment(server, tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def again(server: Loopback, tmp_path: Path, command: str, status: int = 0) -> str:
    """Run a command line of this package as its user would, and return what it printed."""
    program, *words = shlex.split(command)
    assert program == "study"
    done = subprocess.run(
        [sys.executable, "-m", "study", *words],
        env={**os.environ, **environment(server, tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def equal(ours: Path, theirs: Path) -> None:
    """Compare two folders' records value for value."""
    for a, b in zip(study.load(ours), study.load(theirs), strict=True):
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    for at in ("last", 1):
        said = [load_predictions(f, at=at) for f in (ours, theirs)]
        said = [s.sort_values(["run", "part", "example"], ignore_index=True) for s in said]
        assert len(said[0])
        pd.testing.assert_frame_equal(*said, check_exact=True)
    assert load_images(ours).keys() == load_images(theirs).keys()
    names = [sorted(p.name for p in (f / "environment").iterdir()) for f in (ours, theirs)]
    assert names[0] == names[1]
    assert (ours / "study.yaml").read_text() == (theirs / "study.yaml").read_text()


def pull(server: Loopback, tmp_path: Path) -> Path:
    out, log = tmp_path / "pulled", tmp_path / "pull.log"
    shutil.rmtree(out, ignore_errors=True)
    argv = ["pull", "lab/study/small", "--out", str(out)]
    own = environment(server, tmp_path)
    process = fit_process(argv, log, own, command="study.wandb.__main__")
    process.join(120)
    assert process.exitcode == 0, log.read_text()
    return out


def whole_once(server: Loopback, out: Path) -> None:
    """Check that each recorded run is there under the folder's own id, every epoch once."""
    runs, history = study.load(out)
    for row in runs.to_dict("records"):
        there = server.runs[f"{row['run']}-{Ledger(out).mark()}"]
        epochs = history[history["run"] == row["run"]]["epoch"].tolist()
        assert [each["epoch"] for each in there.history] == epochs, (row["run"], epochs)
        assert [each["_step"] for each in there.history] == epochs
        assert (there.state, there.summary["status"]) == ("finished", row["status"])


def shows_no_key(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def study_wandb(*argv: str) -> int:
    from study.wandb.__main__ import main

    return main(argv)
