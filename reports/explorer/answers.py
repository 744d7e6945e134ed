"""What networks answered on their fixed training examples, and the images of those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.read import Records, image_shape

if TYPE_CHECKING:
    import pyarrow as pa


class Answers(NamedTuple):
    """What one network answered on its fixed training examples.

    ``said`` and ``probability``, of the label trained on, are [epoch, example]; a network whose
    numbers are no longer finite says nothing, and its probability is nan. ``images`` is the name of
    the examples' images, or None.
    """

    epochs: NDArray[np.int64]
    example: NDArray[np.int64]
    given: NDArray[np.int64]
    true: NDArray[np.int64]
    said: NDArray[np.int64]
    probability: NDArray[np.float64]
    images: str | None

    @property
    def learned(self) -> list[int | None]:
        """The epoch from which each example is answered with its label until the end."""
        right = (self.said == self.given) & np.isfinite(self.probability)
        return learned_at(right, self.epochs)

    @property
    def lost(self) -> bool:
        """Whether the network's numbers were no longer finite at the end."""
        return not np.isfinite(self.probability[-1]).all()


def learned_at(right: NDArray[np.bool_], epochs: NDArray[np.int64]) -> list[int | None]:
    """Return the epoch from which each example is answered with its label until the end.

    Parameters
    ----------
    right
        Whether an example was answered so, [epoch, example].
    epochs
        The epochs.

    Examples
    --------
    >>> learned_at(np.array([[0, 1], [1, 0], [1, 0]], dtype=bool), np.array([0, 5, 9]))
    [5, None]
    """
    since = len(right) - np.argmin(right[::-1], axis=0)
    since[right.all(axis=0)] = 0
    return [None if at == len(epochs) else int(epochs[at]) for at in since]


def answers_of(table: pa.Table | None) -> Answers | None:
    """Return a run's answers on training examples; None of a table that holds none of its epochs.

    Records of the first format hold none, and neither do lists of unequal length.
    """
    import pyarrow.compute as pc

    if table is None or "at" not in table.column_names:
        return None
    try:
        rows = table.filter(pc.equal(table["part"], "train")).sort_by("epoch")
        columns = {
            name: _numbers(rows, name, kind).reshape(len(rows), -1)
            for name, kind in (
                *dict.fromkeys(("example", "label", "true_label", "said"), np.int64).items(),
                ("label_probability", np.float64),
            )
        }
        shapes = {each.shape for each in columns.values()}
        names = [name for name in pc.unique(rows["images"]).to_pylist() if name is not None]
        if len(shapes) > 1 or not all(shapes.pop()):
            return None
        epochs = rows["epoch"].to_numpy().astype(np.int64)
    except (LookupError, TypeError, ValueError):  # whoever has written the table
        return None
    example, given, true = (columns[name][0] for name in ("example", "label", "true_label"))
    said, probability = columns["said"], columns["label_probability"].clip(0, 1)
    return Answers(epochs, example, given, true, said, probability, names[0] if names else None)


def _numbers(rows: pa.Table, name: str, kind: Any) -> NDArray[Any]:
    found: NDArray[Any] = rows[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return found.astype(kind)


def pictures_of(
    records: Records, row: Mapping[Any, Any], answers: Answers
) -> NDArray[np.uint8] | None:
    """Return the images of a run's training examples that its study has kept for it, or None."""
    images = records.images.get(answers.images or "")
    wanted = (len(answers.example), int(np.prod(image_shape(row))))
    return images if images is not None and images.shape == wanted else None


def picture_shape(row: Mapping[Any, Any]) -> tuple[int, ...] | None:
    """Return the shape of a run's images as pictures, grey or of three colours; None if none."""
    shape = image_shape(row)
    shape = shape[:2] if shape[2:] == (1,) else shape
    return shape if len(shape) == 2 or shape[2:] == (3,) else None
