"""Records of one or several studies, joined; what could not be read is named, not dropped."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import study
from reports import metrics
from reports.metrics import last_epochs
from study.base.errors import BadInput
from study.base.files import files_in
from study.base.text import plain
from study.data.sources import SOURCES
from study.records.columns import history_columns
from study.records.predictions import load_predictions, pictured, right_on_test
from study.records.reading import load_images, read_config, read_environment
from study.runs.progress import FAILED
from study.runs.study import varied_keys
from study.terminal.arms import arm_label


@dataclass(frozen=True)
class Records:
    """What studies left.

    Attributes
    ----------
    runs
        One row a run that ended, as `study.load` gives it, with ``study`` (the first that holds
        it) and ``arm`` (its values of what varies there, in words).
    history
        One row an evaluated epoch, with ``arm``, ``seed`` and ``study``.
    predictions
        One row a kept example of the run that is shown (see `shown_first`), with the name of its
        ``images`` where there are any; `study.records.predictions.load_predictions` reads all.
    images
        Pixels in [0, 1] by name, [height, width] or with a third dimension of colours.
    environments
        By their hash.
    studies
        Each study's config, by its folder.
    varied
        The dotted keys that each study varies, by the name that it has in ``runs``.
    left_out
        What could not be read, a line each.
    """

    runs: pd.DataFrame
    history: pd.DataFrame
    predictions: pd.DataFrame
    images: dict[str, Any]
    environments: dict[str, dict[str, Any]]
    studies: dict[str, dict[str, Any]]
    varied: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def folders(self) -> dict[str, str]:
        """The folder of each study, by the name that the study has in ``runs``."""
        return dict(zip(self.varied, self.studies, strict=True))

    def having(self, facts: Mapping[str, Any]) -> pd.DataFrame:
        """Return the rows of ``runs`` that have these facts; None stands for an empty one."""
        table = self.runs
        for key, wanted in facts.items():
            if key not in table.columns:
                return table.iloc[:0]
            if isinstance(wanted, list):
                # ``runs`` has lists as JSON, in which 1 and 1.0 are not the same text.
                texts = [text for text in table[key].unique() if parsed(text) == wanted]
                table = table[table[key].isin(texts)]
            else:
                table = table[table[key].isna() if wanted is None else table[key] == wanted]
        return table

    def last(self) -> pd.DataFrame:
        """Return each run's last row of ``history``, by its id."""
        return last_epochs(self.history).set_index("run")

    def values(self, metric: str, at: metrics.At) -> pd.Series:
        """Return one number a run, by its id: a metric at an epoch (see `reports.metrics.values`).

        Raises
        ------
        BadInput
            No such metric.
        """
        return self.measured(metric, at)["value"]

    def measured(self, metric: str, at: metrics.At, by: str | None = None) -> pd.DataFrame:
        """Return `reports.metrics.values` of these records; each is found once."""
        key = repr((metric, at, by))
        if key not in self._found:
            self._found[key] = metrics.values(self.runs, self.history, metric, at, by)
        found: pd.DataFrame = self._found[key]
        return found

    def right(self, at: str) -> dict[str, NDArray[np.bool_]]:
        """Return by run whether its network is right on each test image; read once.

        ``at`` is ``last``, ``fit`` or ``best``; runs whose answers were not kept have none.
        """
        if at not in self._found:
            parts = [right_on_test(Path(folder), self.runs["run"], at) for folder in self.studies]
            self._found[at] = {run: row for part in parts for run, row in part.items()}
        found: dict[str, NDArray[np.bool_]] = self._found[at]
        return found

    @cached_property
    def _found(self) -> dict[str, Any]:
        return {}


def exact_gradient(history: pd.DataFrame) -> pd.DataFrame:
    """Return ``cosine`` and ``norm`` of the exact gradient, row by row of a history.

    Records of an earlier version have what went through the clamped Jacobian in their place.
    """
    earlier = {"cosine": "gradient_cosine", "norm": "gradient_true_norm"}
    columns = {}
    for name, column in earlier.items():
        columns[name] = history[f"gradient_exact_{name}"]
        if column in history:
            columns[name] = columns[name].fillna(history[column])
    return pd.DataFrame(columns)


def read(folders: Sequence[Path]) -> Records:
    """Read studies' folders.

    Raises
    ------
    BadInput
        No run that ended; of a single folder, also why it cannot be read.
    """
    left_out: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        records = _read(folders, left_out)
    left_out += dict.fromkeys(str(warning.message) for warning in caught)
    return records


def _read(folders: Sequence[Path], left_out: list[str]) -> Records:
    parts: dict[Path, _Part] = {}
    for folder in folders:
        try:
            part = _read_folder(folder, left_out)
        except BadInput as fault:
            if len(folders) == 1:
                raise
            left_out.append(str(fault))
            continue
        if part.runs.empty:
            left_out.append(f"{folder}: no run has ended yet")
        else:
            parts[folder] = part
    if not parts:
        first = f"train first: python -m study.fit --config {folders[0]}/study.yaml"
        raise BadInput(", ".join(map(str, folders)), "at least one run that ended", 0, first)
    _name_apart(parts)
    runs = pd.concat([part.runs for part in parts.values()], ignore_index=True)
    runs = runs.drop_duplicates("run", ignore_index=True)
    history = pd.concat([part.history for part in parts.values()], ignore_index=True)
    history = history.drop_duplicates(["run", "epoch"])
    # Records of an earlier version, and of runs without a validation split, lack some.
    history = history.reindex(
        columns=list(dict.fromkeys([*history, *history_columns(validation=True)]))
    )
    history = history.merge(runs[["run", "study", "arm", "seed"]], on="run")
    images = {name: image for folder in parts for name, image in load_images(folder).items()}
    environments = {k: v for folder in parts for k, v in _environments(folder, left_out).items()}
    studies = {str(folder): part.config for folder, part in parts.items()}
    varied = {p.runs["study"].iloc[0]: _varied(p.config) for p in parts.values()}
    kept = _predictions(list(parts), runs, images)
    return Records(runs, history, kept, images, environments, studies, varied, left_out)


def _name_apart(parts: dict[Path, _Part]) -> None:
    """Give two folders whose studies have one name different ones: they are two studies."""
    number = Counter(part.config["name"] for part in parts.values())
    for folder, part in parts.items():
        if number[name := part.config["name"]] > 1:
            parts[folder] = part._replace(runs=part.runs.assign(study=f"{name} ({folder})"))


class _Part(NamedTuple):
    """What one study's folder holds."""

    config: dict[str, Any]
    runs: pd.DataFrame
    history: pd.DataFrame


def _read_folder(folder: Path, left_out: list[str]) -> _Part:
    config = read_config(folder)
    runs, history = study.load(folder)
    failed = runs["status"] == FAILED
    if failed.any():
        left_out.append(f"{folder}: {failed.sum()} runs that failed")
        runs = runs[~failed].reset_index(drop=True)
    bare = ~runs["run"].isin(history["run"])
    if bare.any():
        left_out.append(f"{folder}: {bare.sum()} runs without a history")
        runs = runs[~bare].reset_index(drop=True)
    arms = _arms(runs, _varied(config))
    asked = asked_for(config)
    if len(runs) < asked:
        left_out.append(f"{folder}: unfinished, {len(runs)} of {asked} runs have ended")
    return _Part(config, runs.assign(study=plain(str(config["name"])), arm=arms), history)


def _varied(config: Mapping[str, Any]) -> list[str]:
    return varied_keys(config.get("vary") or {})


def asked_for(config: Mapping[str, Any]) -> int:
    """Return how many runs a study's config asks for.

    Examples
    --------
    >>> asked_for({"seeds": 4, "vary": {"data.label_noise": [0, 1]}})
    8
    """
    seeds = config.get("seeds", 1)
    number = len(seeds) if isinstance(seeds, list) else int(seeds)
    return number * math.prod(len(values) for values in (config.get("vary") or {}).values())


def image_shape(run: Mapping[Any, Any] | pd.Series) -> tuple[int, ...]:
    """Return the shape of a run's images; records of the first version leave it to the source."""
    recorded = run.get("image_shape")
    shape = json.loads(recorded) if isinstance(recorded, str) else None
    return tuple(shape or SOURCES[run["data.dataset"]].shape)


def shown_first(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs sorted so that the first is the one to show: it has most labels redrawn."""
    return runs.sort_values(["data.label_noise", "seed"], ascending=[False, True])


def _predictions(folders: Sequence[Path], runs: pd.DataFrame, images: dict[str, Any]) -> Any:
    """Return the predictions of the one run whose images are shown; all would take too long."""
    with_image = set().union(*(pictured(folder, images) for folder in folders if images))
    chosen = shown_first(runs[runs["run"].isin(with_image)])["run"].iloc[:1]
    found = [load_predictions(folder, set(chosen)) for folder in folders]
    return pd.concat(found, ignore_index=True).drop_duplicates(["run", "part", "example"])


def _arms(runs: pd.DataFrame, varied: Sequence[str]) -> list[str]:
    """Return each run's arm in words: its values of what varies in its study."""
    known = [key for key in varied if key in runs]
    if not known:
        return [arm_label(dict.fromkeys(varied))] * len(runs)
    arms = runs.groupby(known, sort=False, dropna=False).ngroup()
    rows = runs.loc[~arms.duplicated(), known].to_dict("records")
    labels = [arm_label({key: parsed(row.get(key)) for key in varied}) for row in rows]
    return [labels[arm] for arm in arms]


def parsed(value: Any) -> Any:
    """Return a fact as it was given: ``runs`` has lists and mappings as JSON, and null as NaN."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, str) and value[:1] in ("[", "{"):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def _environments(folder: Path, left_out: list[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for path in files_in(folder / "environment", "*.json"):
        try:
            environment = read_environment(folder, path.stem)
            shown = {"processor": str, "device": str, "stacking": str, "packages": dict}
            if bad := [k for k in shown if not isinstance(environment.get(k), shown[k])]:
                raise BadInput(str(path), "an environment", hint=f"not as it was: {bad[0]}")
            found[path.stem] = environment
        except BadInput as fault:
            left_out.append(str(fault))
    return found
