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
from study.records.live import TRAINING, Task, new_rows
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

    ``live`` has the rows from progress files by run and epoch, ``fresh`` the runs of which some are
    new, ``ended`` and ``failed`` the ids of recorded runs with a result and without. With a task,
    live rows are that task's alone.
    """

    def __init__(self, folder: Path, task: str | None = None) -> None:
        read_config(folder)
        self.folder, self.task = folder, task
        self.fresh: set[str] = set()
        self.live: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        self.ended: set[str] = set()
        self.failed: set[str] = set()
        self._read: dict[Path, tuple[int, int]] = {}
        self._parts: dict[str, list[tuple[Any, ...]]] = {}
        self._recorded_at: dict[str, float] = {}
        self._configs: dict[Path, int] = {}
        self._runs: dict[str, tuple[Study, str, Run]] = {}
        self._look_at_configs()

    def look(self) -> None:
        """Read what is new."""
        self._look_at_configs()
        self.fresh = set()
        for at, seconds, row in new_rows(self.folder, self._read, self.task or "*"):
            self.fresh.add(row["run"])
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

    def project(self, run: str) -> str:
        """Return where a run goes: a project, of the client's own entity unless one is named."""
        place = self._find(run)[0].wandb
        return "/".join(filter(None, (place.entity, place.project)))

    def training(self, run: str, tasks: Collection[Task]) -> Content | None:
        """Return an unfinished run with its epochs so far; None when no config has it."""
        study, _, made = self._find(run)
        if made is None:
            return None
        here = [
            task["pid"]
            for task in tasks
            if (task["host"], task["state"]) == (platform.node(), TRAINING) and run in task["runs"]
        ]
        settings, config = settings_of(study, made, self.folder), config_of(study, made)
        rows = [self.live[run][epoch] for epoch in sorted(self.live[run])]
        return Content(run, settings, config, rows, watched=here[-1] if here else None)

    def recorded(self, runs: Collection[str]) -> Iterator[Content]:
        """Yield recorded runs that have a result; raises `BadInput` where records are damaged."""
        tables = tables_by_run(self.folder, runs)
        said = dict(iter(load_predictions(self.folder, runs).groupby("run"))) if tables else {}
        for name, (row, history) in records_by_run(self.folder, runs).items():
            if name not in runs or row["status"] == FAILED:
                continue
            study, text, run = self._find(name)
            run = run or Run.of_record(json.loads(row["facts"]))
            if run.id != name:
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

    def _find(self, run: str) -> tuple[Study, str, Run | None]:
        """Return the study that has a run, as begun last, its config and the run; or the newest."""
        if run not in self._runs:
            self._look_at_configs()
        return self._runs.get(run, (*self.newest, None))

    def _look_at_configs(self) -> None:
        """Read the study's configs, of which agents of a sweep begin several, the earlier numbered.

        Raises `BadInput` where study.yaml is none.
        """
        paths = [path for path in self.folder.glob("study*.yaml") if WRITTEN.fullmatch(path.name)]
        found = {path: path.lstat().st_mtime_ns for path in paths}
        if found == self._configs:
            return
        self._configs, newest = found, self.folder / "study.yaml"
        for path in sorted(paths, key=lambda p: (p == newest, found[p])):
            with contextlib.ExitStack() as stack:
                if path != newest:  # one of an earlier version
                    stack.enter_context(contextlib.suppress(BadInput, OSError))
                study, text = study_of([read_layer(str(path))])[0], path.read_text(encoding="utf-8")
                self.newest, self.wanted = (study, text), {run.id for run in study.runs}
                self._runs |= {run.id: (study, text, run) for run in study.runs}
