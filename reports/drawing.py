"""Draw every figure to files: PDF, PNG, the data as CSV, and what it shows in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reports import figures
from reports.read import Records
from reports.style import styled
from reports.verdicts import Verdict

MANY_ROWS = 100_000


@dataclass(frozen=True)
class Drawn:
    """A figure in its files, or why there is none.

    Attributes
    ----------
    name
        Of the figure's module and of its files.
    caption
        What it shows, see `reports.figures.caption`.
    alt
        What it shows, in words.
    why_not
        What it would need.
    """

    name: str
    caption: str
    alt: str = ""
    why_not: str = ""


def draw_all(
    records: Records, verdicts: Sequence[Verdict], folder: Path, style: str
) -> list[Drawn]:
    """Draw each figure that the records have data for."""
    import matplotlib as mpl

    mpl.use("Agg")
    return [_draw(name, records, verdicts, folder, style) for name in figures.NAMES]


def _draw(
    name: str, records: Records, verdicts: Sequence[Verdict], folder: Path, style: str
) -> Drawn:
    import matplotlib.pyplot as plt

    module = figures.figure(name)
    shown = verdicts if name == "forest" else records
    table = module.data(shown)
    caption = figures.caption(module, table)
    if table.empty:
        return Drawn(name, caption, why_not=f"needs {module.NEEDS}")
    _write_csv(table, folder / f"{name}.csv")
    with styled(style) as sizes:
        width = sizes.text if module.WIDE else sizes.column
        axes = plt.figure(figsize=(width, 0.62 * sizes.column * (1.3 if module.WIDE else 1.1)))
        drawn = module.draw(shown, axes.gca())
        for suffix, metadata in (
            ("pdf", {"CreationDate": None}),
            ("png", {"Software": None}),
        ):
            drawn.figure.savefig(folder / f"{name}.{suffix}", metadata=metadata)
        plt.close(drawn.figure)
    return Drawn(name, caption, module.alt(shown))


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    if len(table) <= MANY_ROWS:
        table.to_csv(path, index=False)
        return
    # The same values, sooner: pandas takes ten seconds for a million rows.
    import pyarrow as pa
    from pyarrow import csv

    options = csv.WriteOptions(quoting_style="needed")
    csv.write_csv(pa.Table.from_pandas(table, preserve_index=False), path, options)
