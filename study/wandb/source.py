"""Reads what W&B is sent from a study's folder: runs that train, and runs that are recorded.

Nothing that the folder names is imported: what needs the user's own code, such as a network's
number of parameters, is sent once it is recorded.
"""

from __future__ import annotations

import contextlib
import json
import platform
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from study.base.errors import BadInput
from study.records.live import TRAINING, new_rows, tasks_of
from study.records.parquet import ended_runs
from study.records.predictions import load_predictions, tables_by_run
from study.records.reading import read_config, read_environment, records_by_run
from study.runs.config import WRITTEN, read_layer, study_of
from study.runs.progress import FAILED
from study.runs.run import Run
from study.runs.study import Study
from study.wandb.content import Content, config_of, record_of, settings_of, summary_of


class Source:
    """A study's folder, read again and again as it grows.

    Parameters
    ----------
    folder
        The folder.

    Attributes
    ----------
    tasks : dict
        The runs in the progress file of each task, as far as it was read.
    live : dict
        The rows of history from those files, by run and epoch.
    ended, failed : set
        The ids of recorded runs: those with a result, and those without.

    Raises
    ------
    BadInput
        No study's folder.
    """

    def __init__(self, folder: Path) -> None:
        read_config(folder)
        self.folder = folder
        self.tasks: dict[str, set[str]] = defaultdict(set)
        self.live: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self.ended: set[str] = set()
        self.failed: set[str] = set()
        self._read: dict[Path, tuple[int, int]] = {}
        self._parts: dict[str, list[tuple[Any, ...]]] = {}
        self._recorded_at: dict[str, float] = {}
        self._configs: dict[Path, int] = {}
        self._studies: list[tuple[Study, str, dict[str, Run]]] = []

    def look(self) -> None:
        """Read what is new."""
        for task, at, seconds, row in new_rows(self.folder, self._read):
            self.tasks[task].add(row["run"])
            trained = {} if seconds is None else {"train_seconds": seconds}
            timed = {**row, "_timestamp": at, **trained}
            self.live[row["run"]].setdefault(row["epoch"], timed)
        known = set(self._parts)
        rows = ended_runs(self.folder, ["run", "status"], self._parts)
        for part in self._parts.keys() - known:
            with contextlib.suppress(OSError):
                at = (self.folder / "runs" / f"{part}.parquet").stat().st_mtime
                for run, _ in self._parts[part]:  # in a merged part they are recorded again
                    self._recorded_at.setdefault(run, at)
        self.ended = {run for run, status in rows if status != FAILED}
        self.failed = {run for run, status in rows if status == FAILED} - self.ended

    def wanted(self) -> set[str]:
        """Return the ids of the runs of the study as it was begun last."""
        self._look_at_configs()
        return set(self._studies[0][2]) if self._studies else set()

    def training(self, run: str) -> Content | None:
        """Return an unfinished run with its epochs so far; None when no config has it."""
        study, _, made = self._find(run)
        if study is None or made is None:
            return None
        here = [
            task["pid"]
            for task in tasks_of(self.folder)
            if (task["host"], task["state"]) == (platform.node(), TRAINING) and run in task["runs"]
        ]
        settings, config = settings_of(study, made, self.folder), config_of(study, made)
        rows = [self.live[run][epoch] for epoch in sorted(self.live[run])]
        return Content(run, settings, config, rows, watched=here[-1] if here else None)

    def recorded(self, runs: Collection[str]) -> Iterator[Content]:
        """Yield recorded runs that have a result.

        Raises
        ------
        BadInput
            Records that cannot be read, or a row whose facts are not those of its id.
        """
        tables = tables_by_run(self.folder, runs)
        said = dict(iter(load_predictions(self.folder, runs).groupby("run"))) if tables else {}
        for name, (row, history) in records_by_run(self.folder, runs).items():
            if name not in runs or row["status"] == FAILED:
                continue
            study, text, run = self._find(name)
            run = run or Run.of_record(json.loads(row["facts"]))
            if study is None or run.id != name:
                hint = "study verify says more"
                raise BadInput(f"{self.folder} run {name}", "facts that give its id", run.id, hint)
            environment = read_environment(self.folder, row["environment"])
            yield Content(
                name,
                settings_of(study, run, self.folder),
                {**config_of(study, run), **record_of(row, environment, text)},
                [{**epoch, **self._times(row, epoch["epoch"])} for epoch in history],
                summary_of(row, history),
                tables.get(name),
                said.get(name),
            )

    def _times(self, row: Mapping[str, Any], epoch: int) -> dict[str, float]:
        """Return when an epoch was trained, as its task wrote; else spread over the run's time."""
        known = self.live.get(row["run"], {}).get(epoch, {})
        seconds = row["seconds"] * min(1.0, epoch / max(1, row["epochs"]))
        at = self._recorded_at.get(row["run"], 0.0) - row["seconds"] + seconds
        times = {"_timestamp": at, "train_seconds": seconds}
        return {name: known.get(name, times[name]) for name in times}

    def _find(self, run: str) -> tuple[Study | None, str, Run | None]:
        """Return the study that has a run, as begun last, and its config; else the newest."""
        if not any(run in runs for _, _, runs in self._studies):
            self._look_at_configs()
        for study, text, runs in self._studies:
            if run in runs:
                return study, text, runs[run]
        return (*self._studies[0][:2], None) if self._studies else (None, "", None)

    def _look_at_configs(self) -> None:
        """Read the configs again when there are others: agents of a sweep begin one after another.

        An earlier config stays in the folder with a number.
        """
        paths = [path for path in self.folder.glob("study*.yaml") if WRITTEN.fullmatch(path.name)]
        found = {path: path.stat().st_mtime_ns for path in paths}
        if found == self._configs:
            return
        self._configs, self._studies = found, []
        newest = self.folder / "study.yaml"
        for path in sorted(paths, key=lambda p: (p != newest, -found[p])):
            with contextlib.suppress(BadInput):  # of an earlier version
                study, text = study_of([read_layer(str(path))])[0], path.read_text("utf-8")
                self._studies.append((study, text, {run.id: run for run in study.runs}))
