"""Reads a study's records: as DataFrames, or as runs made again from their facts."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from study.base.errors import BadInput
from study.base.files import unreadable
from study.records.live import rows_of
from study.records.parquet import concatenate, each_part, read_part, read_parts
from study.runs.progress import FAILED
from study.runs.run import Run, fact_keys

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

METRICS = ("cross_entropy", "squared_error", "accuracy")
NOISY = ("true", "redrawn", "redrawn_true", "untouched")
GRADIENT = ("norm", "exact_norm", "exact_cosine", "zero_share", "largest_g", "exact_largest_g")
EARLIER_HISTORY_COLUMNS = ("gradient_true_norm", "gradient_cosine")  # no longer written
PREDICTION_COLUMNS = [
    "run",
    "part",
    "example",
    "label",
    "true_label",
    "said",
    "confidence",
    "images",
    "place",
]


def read_config(folder: Path) -> dict[str, Any]:
    """Return the config in a study's folder.

    Raises
    ------
    BadInput
        No study's folder.
    """
    path = folder / "study.yaml"
    try:
        if not path.is_file():
            raise BadInput(str(folder), "a study's folder", "no study.yaml in it", "check the path")
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(str(path), "a study's config", str(error)) from None
    if not isinstance(config, dict) or "name" not in config:
        raise BadInput(str(path), "a study's config", config)
    return config


def load(
    folder: str | os.PathLike[str], *, unfinished: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a study's records.

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
        A row for each run that ended: ``run`` (its id), ``seed``, every fact under its dotted key
        (lists as JSON text), ``facts`` (all of them as JSON; the id is their hash), ``status``
        (fitted: it has an ``epochs_to_fit``; finished: it never fitted; diverged: its loss became
        NaN or infinite; failed: code that it names raised the ``error``, and the row has no hashes
        and no history), ``epochs`` trained, ``epochs_to_fit`` (empty when never), ``parameters``,
        ``seconds`` (its share of the time its stack trained), ``data_hash``, ``labels_hash``,
        ``weights_hash``, ``environment``.
    history
        A row for each evaluated epoch, 0 being before training: ``run``, ``epoch``, and for
        ``train_`` and ``test_`` each ``cross_entropy`` (nats), ``squared_error``, ``accuracy``.
        Train metrics are against the labels trained on; ``train_accuracy_true`` against the true
        ones. ``train_accuracy_redrawn`` and ``train_accuracy_untouched`` are on the examples whose
        label was redrawn and was not, ``train_accuracy_redrawn_true`` on the redrawn ones against
        their true labels (each empty where there are no such examples). Test metrics are against
        true labels, ``test_noisy_`` ones against labels as noisy as the training set's; runs with
        ``data.validation_examples`` have ``validation_`` and ``validation_noisy_`` ones likewise.
        ``running_cross_entropy`` and ``running_accuracy`` are of the epoch's mini-batches, each
        before its step (empty at epoch 0). The ``gradient_`` columns are of a fixed batch of 100
        training examples: ``norm`` of what the backward rule sends to the logits, ``exact_norm``
        of the loss's exact gradient there (in float64), ``exact_cosine`` of the angle between the
        two, ``zero_share`` (of examples to which exactly 0 is sent), ``largest_g``, the largest
        |dL/dp| that the rule is given, and ``exact_largest_g``, the same before p_y is clamped.
        Records of earlier versions have ``gradient_true_norm`` and ``gradient_cosine`` in place of
        the exact ones: they went through the clamp, and are wrong where p_y underflowed.

    Raises
    ------
    BadInput
        No study's folder, or records of another version.
    """
    import pandas as pd

    folder = Path(folder)
    read_config(folder)
    parts, damaged = read_parts(folder)
    _warn(damaged)
    if not parts["runs"]:
        history_frame = pd.DataFrame(columns=history_columns())
        live = _with_unfinished(folder, history_frame, ()) if unfinished else history_frame
        return pd.DataFrame(columns=run_columns()), live
    frames = [concatenate(parts[kind]).to_pandas() for kind in ("runs", "history")]
    # Of a run that failed and was trained again, the row that says what came out.
    runs_frame = frames[0].sort_values("status", key=lambda each: each == FAILED, kind="stable")
    runs_frame = runs_frame.drop_duplicates("run").sort_values(["seed", "run"])
    for key, value in Run.absent(optimizer="").items():  # of runs that are older than these facts
        if value is not None:
            cells = runs_frame.get(key, pd.Series(index=runs_frame.index, dtype=object))
            runs_frame[key] = cells.fillna(value).infer_objects()
    if "error" not in runs_frame:  # records of an earlier version
        runs_frame["error"] = None
    errors = runs_frame["error"].astype(object)  # of one type, be there any or none
    runs_frame["error"] = errors.where(errors.notna(), None)
    history_frame = frames[1].drop_duplicates(["run", "epoch"]).sort_values(["run", "epoch"])
    if history_frame.empty:
        history_frame = pd.DataFrame(columns=history_columns())
    if unfinished:
        history_frame = _with_unfinished(folder, history_frame, set(history_frame["run"]))
    return runs_frame.reset_index(drop=True), history_frame.reset_index(drop=True)


def _with_unfinished(
    folder: Path, history: pd.DataFrame, recorded: Collection[str]
) -> pd.DataFrame:
    """Add the rows that tasks have written of runs that are not recorded."""
    import pandas as pd

    rows = list(rows_of(folder, but=recorded))
    if not rows:
        return history
    live = pd.DataFrame(rows).drop_duplicates(["run", "epoch"]).sort_values(["run", "epoch"])
    return live if history.empty else pd.concat([history, live], ignore_index=True)


def load_predictions(
    folder: str | os.PathLike[str], runs: Collection[str] | None = None
) -> pd.DataFrame:
    """Read trained networks' answers on a few hundred fixed examples.

    Parameters
    ----------
    folder
        A study's folder.
    runs
        Ids of runs: only their predictions are read.

    Returns
    -------
    predictions
        A row for each example of a run: ``run``, ``part`` (train or test), ``example`` (its index
        in the source), ``label`` (the one trained on; of test examples, the true one),
        ``true_label``, ``said`` (the network's answer), ``confidence``, and where its image is:
        ``images`` is a name in `load_images`, ``place`` the row there (empty for test examples).
    """
    import pandas as pd

    folder = Path(folder)
    read_config(folder)
    parts, damaged = read_parts(folder, ["predictions"], runs)
    _warn([path for path in damaged if path.exists()])  # runs without predictions have no part
    if not parts["predictions"]:
        return pd.DataFrame(columns=PREDICTION_COLUMNS)
    frame: pd.DataFrame = concatenate(parts["predictions"]).to_pandas()
    if runs is not None:
        frame = frame[frame["run"].isin(runs)]
    return frame.drop_duplicates(["run", "part", "example"]).reset_index(drop=True)


def _warn(damaged: Collection[Path]) -> None:
    for path in damaged:
        warnings.warn(f"{path}: not a whole part of a study's records; left out", stacklevel=3)


def pictured(folder: str | os.PathLike[str], images: Collection[str]) -> set[str]:
    """Return the ids of runs with a prediction on one of these images."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: set[str] = set()
    for name in each_part(Path(folder)):
        path = Path(folder) / "predictions" / f"{name}.parquet"
        table = read_part(path, ["run", "images"])
        if table is not None:
            named = table["images"].cast(pa.string())  # of a part without any it has no type
            shown = pc.is_in(named, pa.array(list(images), pa.string()))
            found.update(pc.unique(table["run"].filter(shown)).to_pylist())
    return found


def load_images(folder: str | os.PathLike[str]) -> dict[str, NDArray[np.uint8]]:
    """Read the images that predictions refer to, by name, each [example, feature]."""
    import numpy as np

    return {
        path.stem: np.load(path, allow_pickle=False)
        for path in sorted((Path(folder) / "images").glob("*.npy"))
    }


def records_by_run(
    folder: Path, runs: Collection[str] | None = None
) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Read each run's row and its history, in the order of its epochs, by its id.

    A run that two tasks recorded has both from the first part that holds it.

    Parameters
    ----------
    folder
        A study's folder.
    runs
        Ids of runs: only parts that hold one of them are read.

    Raises
    ------
    BadInput, OSError
        Records of another version, or a file that cannot be read.
    """
    parts, damaged = read_parts(folder, holding=runs)
    _warn(damaged)
    found: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    failed: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for rows, history in zip(parts["runs"], parts["history"], strict=True):
        epochs: dict[str, dict[int, dict[str, Any]]] = {}
        for entry in history.to_pylist():
            epochs.setdefault(entry["run"], {})[entry["epoch"]] = entry
        for row in rows.to_pylist():
            its = epochs.get(row["run"], {})
            of = failed if row["status"] == FAILED else found
            of.setdefault(row["run"], (row, [its[epoch] for epoch in sorted(its)]))
    return {**failed, **found}


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
    root = root or config.get("data", {}).get("root", "data")
    found = [each for each in records_by_run(folder).values() if each[0]["status"] != FAILED]
    result = []
    for row, history in sorted(found, key=lambda each: (each[0]["seed"], each[0]["run"])):
        run = Run.of_record({**json.loads(row["facts"]), "data.root": root})
        if run.id != row["run"]:
            raise BadInput(f"{folder} run {row['run']}", "facts that give its id", run.id)
        result.append((run, row, history))
    return result


def read_environment(folder: Path, name: str) -> dict[str, Any]:
    """Read the environment that a row of ``runs`` names.

    Raises
    ------
    BadInput
        There is none, or it is damaged.
    """
    path = folder / "environment" / f"{name}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError as error:
        raise unreadable(path, error) from None
    except (OSError, ValueError) as error:
        raise BadInput(str(path), "the environment of a recorded run", str(error)) from None
    if not isinstance(found, dict):
        raise BadInput(str(path), "the environment of a recorded run", found)
    return found


def run_columns() -> list[str]:
    """Return the columns of ``runs`` for a study with this package's Adam."""
    outcome = ["facts", "status", "epochs", "epochs_to_fit", "parameters", "seconds"]
    outcome += ["image_shape", "classes", "test_examples", "outside"]
    return [
        "run",
        *fact_keys(),
        *outcome,
        "data_hash",
        "labels_hash",
        "weights_hash",
        "environment",
        "error",
    ]


def history_columns(*, validation: bool = False) -> list[str]:
    """Return the columns of ``history``, on request with those of runs that have a split."""
    train = [f"train_{name}" for name in METRICS]
    train += [f"train_accuracy_{which}" for which in NOISY]
    held_out = ("test", "validation") if validation else ("test",)
    test = [f"{part}{of}_{name}" for part in held_out for of in ("", "_noisy") for name in METRICS]
    running = ["running_cross_entropy", "running_accuracy"]
    gradient = [f"gradient_{name}" for name in GRADIENT]
    return ["run", "epoch", *train, *test, *gradient, *running]
