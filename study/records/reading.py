"""Records, to read: what runs left in a study's folder, as DataFrames, runs and networks."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from study.base.errors import BadInput
from study.records.parquet import concatenate, each_part, read_part, read_parts
from study.runs.run import Run, fact_keys

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from torch import nn

METRICS = ("cross_entropy", "squared_error", "accuracy")
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
    if not path.is_file():
        raise BadInput(str(folder), "a study's folder", "no study.yaml in it", "check the path")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise BadInput(str(path), "a study's config", str(error)) from None
    if not isinstance(config, dict) or "name" not in config:
        raise BadInput(str(path), "a study's config", config)
    return config


def load(folder: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a study's records.

    Returns
    -------
    runs
        One row a run that ended: ``run`` (its id), ``seed``, every fact under its dotted key (lists
        as JSON text), ``facts`` (all of them as JSON, what the id is a hash of), ``status``
        (fitted: it has an ``epochs_to_fit``; finished: it never fitted; diverged: its loss became
        no number), ``epochs`` trained, ``epochs_to_fit`` (empty when never), ``parameters``,
        ``seconds`` (its share of the time its stack trained), ``data_hash``, ``labels_hash``,
        ``weights_hash``, ``environment``.
    history
        One row an evaluated epoch, 0 before training: ``run``, ``epoch``, and for ``train_`` and
        ``test_`` each ``cross_entropy`` (nats), ``squared_error``, ``accuracy``. Train metrics are
        against the labels trained on; ``train_accuracy_true`` against the true ones,
        ``train_accuracy_redrawn`` and ``train_accuracy_untouched`` on the examples whose label was
        redrawn and was not (empty where there are none). Test metrics are against true labels,
        ``test_noisy_`` ones against labels as noisy as the training set's.
        ``running_cross_entropy`` and ``running_accuracy`` are of the epoch's mini-batches, each
        before its step (empty at epoch 0). ``gradient_``, of a fixed batch of 100 training
        examples: ``norm`` of what the backward rule sends to the logits, ``true_norm`` of the
        loss's true gradient, their ``cosine``, and ``largest_g``, the largest |dL/dp|.

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
        return pd.DataFrame(columns=run_columns()), pd.DataFrame(columns=history_columns())
    frames = [concatenate(parts[kind]).to_pandas() for kind in ("runs", "history")]
    runs_frame = frames[0].drop_duplicates("run").sort_values(["seed", "run"])
    history_frame = frames[1].drop_duplicates(["run", "epoch"]).sort_values(["run", "epoch"])
    return runs_frame.reset_index(drop=True), history_frame.reset_index(drop=True)


def load_predictions(
    folder: str | os.PathLike[str], runs: Collection[str] | None = None
) -> pd.DataFrame:
    """Read what trained networks say of a few hundred fixed examples.

    Parameters
    ----------
    folder
        A study's folder.
    runs
        Ids of runs: only what these say is read.

    Returns
    -------
    predictions
        One row an example of a run: ``run``, ``part`` (train or test), ``example`` (its index in
        the source), ``label`` (the one trained on; of test examples, the true one), ``true_label``,
        ``said``, ``confidence``, and where its image is: ``images`` names one of `load_images`,
        ``place`` its row there (empty for test examples).
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
    """Read the images that predictions refer to, [example, feature] each, by name."""
    import numpy as np

    return {
        path.stem: np.load(path, allow_pickle=False)
        for path in sorted((Path(folder) / "images").glob("*.npy"))
    }


def recorded(
    folder: Path, root: str | None = None
) -> list[tuple[Run, dict[str, Any], list[dict[str, Any]]]]:
    """Return each recorded run, made again from its facts, with its row and its history.

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
    parts, _ = read_parts(folder)
    if not parts["runs"]:
        return []
    epochs: dict[str, dict[int, dict[str, Any]]] = {}
    for row in concatenate(parts["history"]).to_pylist():
        epochs.setdefault(row["run"], {})[row["epoch"]] = row
    rows = {row["run"]: row for row in reversed(concatenate(parts["runs"]).to_pylist())}
    result = []
    for row in sorted(rows.values(), key=lambda row: (row["seed"], row["run"])):
        run = Run.of_record({**json.loads(row["facts"]), "data.root": root})
        if run.id != row["run"]:
            raise BadInput(f"{folder} run {row['run']}", "facts that give its id", run.id)
        entries = epochs[row["run"]]
        result.append((run, row, [entries[epoch] for epoch in sorted(entries)]))
    return result


def run_columns() -> list[str]:
    """Return the columns of ``runs`` for a study with this package's Adam."""
    outcome = ["facts", "status", "epochs", "epochs_to_fit", "parameters", "seconds"]
    return [
        "run",
        *fact_keys(),
        *outcome,
        "data_hash",
        "labels_hash",
        "weights_hash",
        "environment",
    ]


def history_columns() -> list[str]:
    """Return the columns of ``history``."""
    train = [f"train_{name}" for name in METRICS]
    train += [f"train_accuracy_{which}" for which in ("true", "redrawn", "untouched")]
    test = [f"{part}_{name}" for part in ("test", "test_noisy") for name in METRICS]
    running = ["running_cross_entropy", "running_accuracy"]
    gradient = [f"gradient_{name}" for name in ("norm", "true_norm", "cosine", "largest_g")]
    return ["run", "epoch", *train, *test, *gradient, *running]


def load_network(folder: str | os.PathLike[str], run_id: str) -> nn.Sequential:
    """Return a trained network as a plain `torch.nn.Sequential` on the CPU.

    Parameters
    ----------
    folder
        A study's folder.
    run_id
        The run's id, as in ``runs``.

    Raises
    ------
    BadInput
        No such weights, or a damaged file.
    """
    from safetensors import SafetensorError, safe_open

    from study.nn.mlp import sequential

    path = Path(folder) / "weights" / f"{run_id}.safetensors"
    if not path.is_file():
        known = [item.stem for item in path.parent.glob("*.safetensors")]
        expected = f"weights of one of {len(known)} runs in {folder}"
        raise BadInput("run_id", expected, run_id, f"e.g. {known[0]}" if known else "")
    try:
        with safe_open(path, "pt") as file:
            names = sorted(file.keys(), key=lambda name: (int(name.split(".")[0]), name[-1] != "t"))
            tensors = [file.get_tensor(name) for name in names]
            activation = file.metadata()["activation"]
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise BadInput(str(path), "a whole weights file", str(error)) from None
    return sequential(tensors, activation)
