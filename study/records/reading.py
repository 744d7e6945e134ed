"""Reads a study's records: as DataFrames, or as runs made again from their facts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from study.base.errors import BadInput, LeftOut
from study.base.files import files_in, read_json, read_regular, unreadable
from study.base.names import FILE
from study.records.columns import history_columns, run_columns
from study.records.facts import run_of
from study.records.images import read_images
from study.records.live import rows_of
from study.records.measured import added
from study.records.once import read_parts
from study.records.parquet import concatenate
from study.runs import yaml_text
from study.runs.config import SUBJECTS
from study.runs.progress import FAILED
from study.runs.run import Run
from study.runs.yaml_text import MOST_CHARACTERS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray


def read_config(folder: Path) -> dict[str, Any]:
    """Return the config in a study's folder.

    Raises
    ------
    BadInput
        No study's folder.
    """
    path = folder / "study.yaml"
    try:
        text = read_regular(path, MOST_CHARACTERS, top=True).decode()
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(
            str(folder), "a study's folder", "no study.yaml in it", "check the path"
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        raise BadInput(str(path), "a study's config", str(error)) from None
    config = yaml_text.load(text, str(path))
    if not isinstance(config, dict) or not isinstance(config.get("name"), str):
        raise BadInput(str(path), "a study's config", config)
    for key in SUBJECTS:
        if not isinstance(config.get(key, {}), dict):
            raise BadInput(f"{path} {key}", "a mapping of keys to values", config[key])
    lists = config.get("vary") or {}
    sound = isinstance(lists, dict) and all(isinstance(each, list) for each in lists.values())
    whole = lists.get("optimizer", []) if sound else []
    if not sound or not all(isinstance(each, dict) and all(map(str, each)) for each in whole):
        raise BadInput(f"{path} vary", "dotted keys, each with a list of values", lists)
    return config


class StudyRecords(NamedTuple):
    """A study's records, one frame each."""

    runs: pd.DataFrame
    history: pd.DataFrame


def load(folder: str | os.PathLike[str], *, unfinished: bool = False) -> StudyRecords:
    """Read a study's records.

    A run that was recorded twice is read from one of its records, and a warning says so where they
    disagree. Read is one that did not fail; of those one that has the hashes it was recorded with,
    or else one without hashes; and of those the one whose row has the smallest hash.

    Parameters
    ----------
    folder
        The study's folder.
    unfinished
        Whether ``history`` has the evaluated epochs of unfinished runs, too, as far as their tasks
        have written them. ``runs`` never has a row of an unfinished run.

    Returns
    -------
    runs
        A row for each run that ended: ``run`` (its id), every fact under its dotted key (lists as
        JSON text), how it ended, and every column of ``history`` as of its last epoch.
    history
        A row for each evaluated epoch of a run, 0 being before training: ``run``, ``epoch``,
        losses and accuracies, and what was measured. docs/records.md describes each column.

    Raises
    ------
    BadInput
        No study's folder, or records of another version.

    Examples
    --------
    >>> records = load("tests/data_folders/format1")
    >>> records.runs.groupby("data.label_noise")["test_accuracy"].mean().round(3).tolist()
    [0.258, 0.125]
    """
    import pandas as pd

    folder = Path(folder)
    read_config(folder)
    parts = read_parts(folder)
    if not parts["runs"]:
        runs, history = (pd.DataFrame(columns=names()) for names in (run_columns, history_columns))
    else:
        runs, history = _recorded(folder, *map(concatenate, parts.values()))
    return StudyRecords(runs, _with_unfinished(folder, history) if unfinished else history)


def _recorded(folder: Path, rows: pa.Table, epochs: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of recorded runs as `load` gives them."""
    import pandas as pd

    runs, history = rows.to_pandas(), epochs.to_pandas()
    runs = runs.drop_duplicates("run").sort_values(["seed", "run"])
    for key, value in Run.absent(optimizer="").items():  # of runs that are older than these facts
        if value is not None:
            cells = runs.get(key, pd.Series(index=runs.index, dtype=object))
            runs[key] = cells.fillna(value).infer_objects()
    if "error" not in runs:  # records of an earlier version
        runs["error"] = None
    errors = runs["error"].astype(object)  # of one type, be there any or none
    runs["error"] = errors.where(errors.notna(), None)
    history = history.drop_duplicates(["run", "epoch"]).sort_values(["run", "epoch"])
    history = _with_added(folder, history)
    if history.empty:
        history = pd.DataFrame(columns=history_columns())
    last = history.drop_duplicates("run", keep="last").drop(columns="epoch")
    runs = runs.merge(last, on="run", how="left").reset_index(drop=True)
    return runs, history.reset_index(drop=True)


def _with_unfinished(folder: Path, history: pd.DataFrame) -> pd.DataFrame:
    """Return a history with the rows that tasks have written of unfinished runs."""
    import pandas as pd

    rows = list(rows_of(folder, but=set(history["run"])))
    if not rows:
        return history
    live = pd.DataFrame(rows).drop_duplicates(["run", "epoch"]).sort_values(["run", "epoch"])
    return live if history.empty else pd.concat([history, live], ignore_index=True)


def _with_added(folder: Path, history: pd.DataFrame) -> pd.DataFrame:
    """Return a history with the columns that were added later."""
    history = history.set_index(["run", "epoch"])
    for table in added(folder):
        columns = table.to_pandas().drop_duplicates(["run", "epoch"]).set_index(["run", "epoch"])
        columns = columns.reindex(history.index)
        for name in columns:
            known = history[name] if name in history else columns[name]
            history[name] = known.fillna(columns[name])
    return history.reset_index()


def load_images(folder: str | os.PathLike[str]) -> dict[str, NDArray[np.uint8]]:
    """Read the images that predictions refer to, by name, each [example, feature]."""
    found = {}
    for path in files_in(Path(folder) / "images", "*.npy"):
        try:
            found[path.stem] = read_images(path)
        except (BadInput, OSError) as error:
            warnings.warn(f"{error}; left out", LeftOut, stacklevel=2)
    return found


def records_by_run(
    folder: Path, runs: Collection[str] | None = None
) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Read each run's row and its history, in the order of its epochs, by its id.

    A run with several records has both from one of them; see `study.records.once`.

    Parameters
    ----------
    folder
        A study's folder.
    runs
        Ids of runs: only these are read; None reads all.

    Raises
    ------
    BadInput, OSError
        Records of another version, or a file that cannot be read.
    """
    parts = read_parts(folder, runs=runs)
    found: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for rows, history in zip(parts["runs"], parts["history"], strict=True):
        epochs: dict[str, dict[int, dict[str, Any]]] = {}
        for entry in history.to_pylist():
            epochs.setdefault(entry["run"], {})[entry["epoch"]] = entry
        for row in rows.to_pylist():
            its = epochs.get(row["run"], {})
            found[row["run"]] = (row, [its[epoch] for epoch in sorted(its)])
    for row in [row for table in added(folder) for row in table.to_pylist()]:
        for entry in found.get(row["run"], ({}, []))[1]:
            if entry["epoch"] == row["epoch"]:
                entry.update({k: v for k, v in row.items() if entry.get(k) is None})
    return found


def recorded(
    folder: Path, root: str | None = None
) -> list[tuple[Run, dict[str, Any], list[dict[str, Any]]]]:
    """Return each recorded run, made again from its facts, with its row and its history.

    Not those that failed: they have no result.

    Parameters
    ----------
    folder
        A study's folder.
    root
        Where data sets lie; the study's own setting when None.

    Raises
    ------
    BadInput
        No study's folder, or a row whose facts are not those of its id.
    """
    config = read_config(folder)
    root = root or str(config.get("data", {}).get("root", "data"))
    found = [each for each in records_by_run(folder).values() if each[0]["status"] != FAILED]
    result = []
    for row, history in sorted(found, key=lambda each: (each[0]["seed"], each[0]["run"])):
        run = run_of(row, str(folder), **{"data.root": root})
        result.append((run, row, history))
    return result


def read_environment(folder: Path, name: str) -> dict[str, Any]:
    """Read the environment that a row of ``runs`` names.

    Raises
    ------
    BadInput
        There is none, or it is damaged.
    """
    if not FILE.fullmatch(name):
        raise BadInput(str(folder / "environment"), "the name of an environment", name)
    return read_json(folder / "environment" / f"{name}.json", "the environment of a recorded run")
