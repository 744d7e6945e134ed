"""What networks answered, as it is written and read.

answers/<part>.parquet holds, a row each: a network's answers on the whole test set, after the last
epoch, at fit and at the best validation epoch; and those on up to 200 fixed training examples after
each evaluated epoch. A row's answers are lists, in which an answer takes the smallest unsigned type
and a probability two bytes. Earlier versions wrote predictions/<part>.parquet, a row an example.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from study.base.errors import BadInput, LeftOut
from study.records.hashes import by_run, digest
from study.records.once import KINDS_OF_PREDICTIONS, read_parts
from study.records.parquet import each_part, read_part
from study.records.reading import read_config
from study.records.sound import LISTS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LAST, FIT, BEST = "last", "fit", "best"
AT = (LAST, FIT, BEST)
TYPES = {
    **dict.fromkeys(("run", "part", "at", "images"), "str"),
    **dict.fromkeys(("example", "label", "true_label", "said"), "int64"),
    **dict.fromkeys(("confidence", "label_probability"), "float32"),
    "place": "float64",
}
PREDICTION_COLUMNS = ["run", "part", "at", "epoch", *LISTS, "images", "place"]


def answers_table(run: str, rows: Sequence[Mapping[str, Any]], images: str | None) -> pa.Table:
    """Return what a run's network answered as a table to write.

    Parameters
    ----------
    run
        The run's id.
    rows
        Each with ``part``, ``at``, ``epoch``, and arrays or None for each of `LISTS`.
    images
        The name of the training examples' images; None where those are another run's.
    """
    import pyarrow as pa

    named = [images if row["part"] == "train" else None for row in rows]
    plain = {
        "run": pa.array([run] * len(rows), pa.string()),
        "part": pa.array([row["part"] for row in rows], pa.string()),
        "at": pa.array([row["at"] for row in rows], pa.string()),
        "epoch": pa.array([row["epoch"] for row in rows], pa.int64()),
        "images": pa.array(named, pa.string()),
    }
    return pa.table({**plain, **{name: _lists([row[name] for row in rows]) for name in LISTS}})


def _lists(arrays: Sequence[NDArray[Any] | None]) -> pa.ListArray:
    """Return arrays as a column of lists; whole numbers in the smallest unsigned type."""
    import pyarrow as pa

    ends = np.cumsum([0, *(0 if each is None else len(each) for each in arrays)])
    values = np.concatenate([np.zeros(0, np.uint8), *(each for each in arrays if each is not None)])
    if values.dtype.kind != "f":
        values = values.astype(np.min_scalar_type(int(values.max(initial=0))))
    missing = pa.array([each is None for each in arrays])
    offsets = pa.array(ends.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values), mask=missing)


def tables_by_run(folder: Path, runs: Collection[str]) -> dict[str, pa.Table]:
    """Return what the networks of some runs answered, as it was written, by run."""
    tables = [t for kind in KINDS_OF_PREDICTIONS for t in read_parts(folder, [kind], runs)[kind]]
    return {run: its for table in tables for run, its in by_run(table).items()}


def load_predictions(
    folder: str | os.PathLike[str], runs: Collection[str] | None = None, at: str | int = LAST
) -> pd.DataFrame:
    """Read what networks answered.

    Parameters
    ----------
    folder
        A study's folder.
    runs
        Ids of runs: only their predictions are read.
    at
        ``last``, ``fit`` or ``best``, the epoch with the highest validation accuracy; or an epoch,
        of which there are only training examples unless it is one of those.

    Returns
    -------
    predictions
        A row for each example of a run: ``run``, ``part`` (train or test), ``at``, ``epoch``,
        ``example`` (its index in the source), ``label`` (the one trained on; of test examples, the
        true one), ``true_label``, ``said`` (the network's answer), ``confidence`` (the probability
        of that answer; empty for training examples), ``label_probability`` (that of ``label``;
        empty for test examples), and where its image is: ``images`` is a name in `load_images`,
        ``place`` the row there (empty for test examples, and where they are another run's). Records
        of the first format have only ``last``, fewer examples, and ``confidence`` for all.

    Raises
    ------
    BadInput
        No study's folder, or another ``at``.
    """
    import pandas as pd

    if at not in AT and not isinstance(at, int):
        raise BadInput("at", f"one of {', '.join(AT)}, or an epoch", at)
    folder = Path(folder)
    read_config(folder)
    frames = [pd.DataFrame(columns=PREDICTION_COLUMNS)]
    for kind, long in zip(KINDS_OF_PREDICTIONS, (_of_format_1, _long), strict=True):
        for table in read_parts(folder, [kind], runs)[kind]:
            try:
                frame = long(table, at)
                frames += [frame[PREDICTION_COLUMNS].astype(TYPES)] if len(frame) else []
            except (LookupError, TypeError, ValueError) as error:
                warnings.warn(f"{folder / kind}: {error}; left out", LeftOut, stacklevel=2)
    whole = pd.concat(frames[1:] or frames, ignore_index=True).astype(TYPES)
    return whole.drop_duplicates(["run", "part", "example"]).reset_index(drop=True)


def apart(recorded: pa.Table, again: pa.Table, rounded: bool) -> tuple[float, list[str]]:
    """Return how far a network's predictions are from its recorded ones, and what was not compared.

    Parameters
    ----------
    recorded, again
        Both as they are written; the recorded ones may be of the first format.
    rounded
        Whether other rounding is allowed for: then only last epochs are compared, and an answer may
        change where its probability hardly does.

    Returns
    -------
    gap
        The largest difference of two probabilities; infinite where anything else differs.
    left_out
        What was not compared, in words.
    """
    first_format = "at" not in recorded.column_names
    if not first_format and digest(recorded) == digest(again):
        return 0.0, []
    frames = [_of_format_1(recorded, LAST) if first_format else _long(recorded, LAST)]
    both = frames[0].merge(_long(again, LAST), on=["part", "example"], suffixes=("", "_again"))
    pairs = {name: (both[name], both[f"{name}_again"]) for name in LISTS if name != "example"}
    probabilities = [pairs.pop(name) for name in ("confidence", "label_probability")]
    gaps = [abs(a.astype("f2") - b.astype("f2")).max() for a, b in probabilities]
    gap = float(max(0.0, *(each for each in gaps if each == each)))  # nan: one has none
    if rounded:
        del pairs["said"]
    if len(both) < len(frames[0]) or any((a != b).any() for a, b in pairs.values()):
        return np.inf, []
    if first_format:
        return gap, ["images, and predictions that the first format does not have"]
    if rounded:
        return gap, ["predictions but for the last epoch"]
    return gap or np.inf, []


def _of_format_1(table: pa.Table, at: str | int) -> pd.DataFrame:
    """Return the predictions that the first format has, of last epochs."""
    frame: pd.DataFrame = table.to_pandas()
    frame = frame.assign(at=LAST, epoch=np.nan, label_probability=np.nan)
    return frame if at == LAST else frame[:0]


def _long(table: pa.Table, at: str | int) -> pd.DataFrame:
    """Return rows of lists as a row an example."""
    import pandas as pd

    rows = table.select(["run", "part", "at", "epoch", "images"]).to_pandas()
    # Training examples have a row for each epoch; it is wanted where the test's is.
    tested = rows[rows["at"] == at]
    pairs = pd.MultiIndex.from_frame(rows[["run", "epoch"]])
    wanted = pairs.isin(pd.MultiIndex.from_frame(tested[["run", "epoch"]]))
    chosen = rows["epoch"] == at if isinstance(at, int) else wanted & (rows["part"] == "train")
    rows = rows[chosen | (rows["at"] == at)]
    lists = table.select(LISTS).take(rows.index.to_numpy()).to_pandas()
    columns: dict[str, list[Any]] = {name: [] for name in (*LISTS, "place")}
    for row, images in zip(lists.to_dict("records"), rows["images"], strict=True):
        places = np.arange(len(row["said"]))
        row["place"] = None if pd.isna(images) else places
        if row["example"] is None:  # a test set is whole, and has true labels alone
            row |= {"example": places, "true_label": row["label"]}
        for name, cells in columns.items():
            cells.append(np.full(len(places), np.nan) if row[name] is None else row[name])
    repeated = rows.loc[rows.index.repeat([len(said) for said in lists["said"]])]
    long = pd.DataFrame({k: np.concatenate(v) for k, v in columns.items()}) if len(rows) else rows
    return long.assign(**{k: repeated[k].to_numpy() for k in repeated} | {"at": str(at)})


def right_on_test(
    folder: Path, runs: Collection[str], at: str = LAST
) -> dict[str, NDArray[np.bool_]]:
    """Return by run whether its network is right on each image of its whole test set, [image].

    Runs without a folder's answers have none: of the first format few examples were kept.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted, found = pa.array(list(runs), pa.string()), {}
    columns = ["run", "part", "at", "said", "label"]
    for name in each_part(folder):  # one at a time: all answers of a large study fit no memory
        table = read_part(folder / "answers" / f"{name}.parquet", columns)
        if table is not None:
            tested = pc.and_(pc.equal(table["part"], "test"), pc.equal(table["at"], at))
            rows = table.filter(pc.and_(tested, pc.is_in(table["run"], wanted))).to_pandas()
            for run, said, label in zip(rows["run"], rows["said"], rows["label"], strict=True):
                found[run] = np.asarray(said == label)
    return found


def pictured(folder: str | os.PathLike[str], images: Collection[str]) -> set[str]:
    """Return the ids of runs with a prediction on one of these images."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: set[str] = set()
    for name in each_part(Path(folder)):
        for kind in KINDS_OF_PREDICTIONS:
            table = read_part(Path(folder) / kind / f"{name}.parquet", ["run", "images"])
            if table is not None:
                named = table["images"].cast(pa.string())  # of a part without any it has no type
                shown = pc.is_in(named, pa.array(list(images), pa.string()))
                found.update(pc.unique(table["run"].filter(shown)).to_pylist())
    return found


def kind_of(table: pa.Table) -> str:
    """Return the kind of part that a table of predictions belongs to."""
    return "answers" if "at" in table.column_names else "predictions"
