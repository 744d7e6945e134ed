"""Training images, and what a network that was trained on them says of them at the end."""

from __future__ import annotations

import json
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure, evenly
from reports.read import Records, image_shape, shown_first
from reports.style import small_text

COLUMNS = 12
SHOWN = 24


def data(records: Records) -> pd.DataFrame:
    """Return some of the kept examples with an image, of the run with most labels redrawn."""
    kept = records.predictions.dropna(subset=["images"])
    kept = kept[kept["images"].isin(records.images)]
    runs = records.runs[records.runs["run"].isin(kept["run"])]
    if runs.empty:
        return pd.DataFrame()
    run = shown_first(runs).iloc[0]
    shown: pd.DataFrame = kept[kept["run"] == run["run"]].assign(shape=json.dumps(image_shape(run)))
    return shown.sort_values("place").iloc[evenly(range(len(shown)), SHOWN)]


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw the images in one grid, three numbers under each: trained, true, said."""
    ax = ax or plt.gca()
    table = data(records)
    shape = tuple(json.loads(table["shape"].iloc[0]))
    height, width = shape[0] + 12, shape[1] + 4
    rows = math.ceil(len(table) / COLUMNS)
    size = small_text()
    # Between the images nothing is painted, so that the page's own background is seen.
    canvas = np.zeros((rows * height, COLUMNS * width, 4), dtype=np.uint8)
    for number, row in enumerate(table.to_dict("records")):
        top, left = (number // COLUMNS) * height, (number % COLUMNS) * width + 2
        image = records.images[row["images"]][int(row["place"])].reshape(shape)
        place = canvas[top : top + shape[0], left : left + shape[1]]
        place[..., :3] = image if image.ndim == 3 else image[..., None]
        place[..., 3] = 255
        text = f"{row['label']} / {row['true_label']} / {row['said']}"
        ax.text(left + shape[1] / 2, top + shape[0] + 5, text, ha="center", va="center", size=size)
    ax.imshow(canvas, interpolation="none")
    ax.set_axis_off()
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    learned = int((table["said"] == table["label"]).sum())
    true = int((table["said"] == table["true_label"]).sum())
    return (
        f"{len(table)} training images with trained / true / said label under each. The network "
        f"says the trained label of {learned}, the true label of {true}."
    )


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="predictions and images, which studies keep",
    wide=True,
    band="Below each image: the label trained on / the true one / what the network says",
)
