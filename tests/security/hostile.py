"""A small recorded study, what a stranger may do to its folder, and the doors it is read by."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

import study
from reports.read import read
from study.base.errors import BadInput
from study.fit import main as fit
from study.fitting.standing import look
from study.fitting.verification import _environment
from study.records.checking import check
from study.records.difference import read_runs
from study.records.live import LiveFile
from study.records.predictions import load_predictions
from study.records.reading import load_images, recorded
from study.runs.config import study_in
from study.runs.progress import Progress
from study.terminal.study_status import shown

CONFIG = """
name: small
vary: {data.label_noise: [0, 1]}
data: {dataset: digits, train_examples: 100}
model: {hidden: [4]}
trainer: {max_epochs: 1}
wandb: {mode: off}
"""


def make(folder: Path) -> Path:
    """Train the study in two starts, so that it has two parts, and leave runs unfinished."""
    (folder / "small.yaml").write_text(CONFIG)
    out = folder / "out"
    for seeds in ("1", "2"):
        argv = ["--config", str(folder / "small.yaml"), "--seeds", seeds, "--out", str(out)]
        assert fit(argv) == 0
    measured = ["--measures", "[gradient_probe, weight_norms]"]
    assert fit([*argv, *measured]) == 0
    unfinished = LiveFile(out).__enter__()
    progress = Progress(study_in(out).runs[0].with_seed(7))
    progress.history = [{"run": progress.run.id, "epoch": 0, "test_accuracy": 0.1}]
    unfinished._told, unfinished._runs = {}, {progress.run.id: 0}
    unfinished._append(unfinished._summary(progress.history))
    return out


def door_load(folder: Path) -> str:
    runs, history = study.load(folder, unfinished=True)
    return runs.to_csv() + history.to_csv()


def door_status(folder: Path) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(shown(look(folder)))
    return console.export_text()


def door_verify(folder: Path) -> str:
    entries = recorded(folder)
    environments = [_environment(folder, str(row.get("environment"))) for _, row, _ in entries]
    return repr((entries, environments))


def door_report(folder: Path) -> str:
    return repr(read([folder]).left_out)


def door_diff(folder: Path) -> str:
    return repr(read_runs(folder))


def door_rest(folder: Path) -> str:
    names = [path.stem for path in sorted((folder / "weights").glob("*.safetensors"))]
    networks = [str(study.load_network(folder, name)) for name in names]
    return repr((load_images(folder), load_predictions(folder), networks))


def door_check(folder: Path) -> str:
    return repr(check(folder).notes)


DOORS = (door_load, door_status, door_verify, door_report, door_diff, door_rest, door_check)


def opened(door: Callable[[Path], str], folder: Path) -> tuple[str, str]:
    """Return what came through a door, and every line about what was refused or left out."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found, said = door(folder), ""
        except BadInput as fault:
            found, said = "", str(fault)
    lines = [said, *(str(each.message) for each in caught)]
    return found, "\n".join(filter(None, lines))
