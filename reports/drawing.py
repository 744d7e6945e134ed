"""Draw figures to files: PDF, PNG, SVG, the data as CSV, and a caption in Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import reports.figures
from reports import wording
from reports.captions import caption_of
from reports.figures import figure
from reports.read import Records
from reports.style import Style, styled
from reports.tables import for_csv
from reports.verdicts import Verdict
from study.base import text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY_ROWS = 100_000
# Without dates and versions, so that the same records give the same files.
METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}


@dataclass(frozen=True)
class Drawn:
    """A figure in its files, or why there is none.

    Attributes
    ----------
    name
        What its files are called.
    caption
        What it shows, see `reports.figures.Figure.caption`.
    alt
        What it shows, in words.
    why_not
        What it would need.
    """

    name: str
    caption: str
    alt: str = ""
    why_not: str = ""


def describe(
    name: str, records: Records, verdicts: Sequence[Verdict]
) -> tuple[Drawn, pd.DataFrame]:
    """Return a figure in words, and its data, without drawing it."""
    its = figure(name)
    shown = its.shown(records, verdicts)
    table = its.data(shown)
    # One file name for package.module:object, on every file system.
    file, caption = name.replace(":", "."), caption_of(its, table, records)
    if table.empty:
        return Drawn(file, caption, why_not=f"needs {its.needs}"), table
    return Drawn(file, caption, its.alt(shown)), table


def draw_all(
    names: Sequence[str],
    records: Records,
    verdicts: Sequence[Verdict],
    folder: Path,
    style: str,
) -> list[Drawn]:
    """Draw each figure that the records have data for."""
    import matplotlib as mpl

    mpl.use("Agg")
    return [_draw(name, records, verdicts, folder, style) for name in names]


def _draw(
    name: str, records: Records, verdicts: Sequence[Verdict], folder: Path, style: str
) -> Drawn:
    import matplotlib.pyplot as plt

    its = figure(name)
    drawn, table = describe(name, records, verdicts)
    if drawn.why_not:
        return drawn
    _write_csv(for_csv(table), folder / f"{drawn.name}.csv")
    wording.write(folder / f"{drawn.name}.md", text.markdown(drawn.caption) + "\n")
    wording.write(folder / f"{drawn.name}.tex", rf"\caption{{{text.latex(drawn.caption)}}}" + "\n")
    with styled(style) as sizes:
        canvas = drawn_on_canvas(its, its.shown(records, verdicts), sizes)
        for suffix, metadata in METADATA.items():
            canvas.savefig(folder / f"{drawn.name}.{suffix}", metadata=metadata)
        plt.close(canvas)
    return drawn


def drawn_on_canvas(its: reports.figures.Figure, shown: object, sizes: Style) -> Figure:
    """Return a figure, drawn in the size that it has in print."""
    import matplotlib.pyplot as plt

    width = sizes.text if its.wide else sizes.column
    canvas: Figure = plt.figure(figsize=(width, 0.62 * sizes.column * (1.3 if its.wide else 1.1)))
    its.draw(shown, canvas.gca())
    _plain_powers(canvas)
    return canvas


def _plain_powers(canvas: Figure) -> None:
    """Write the ticks of logarithmic axes as text: powers would be mathematics, which is off."""
    from matplotlib.ticker import LogFormatter

    for axes in canvas.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                axis.set_major_formatter(LogFormatter())
                axis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    if len(table) <= MANY_ROWS:
        table.to_csv(path, index=False, encoding="utf-8")
        return
    # The same values, sooner: pandas takes ten seconds for a million rows.
    import pyarrow as pa
    from pyarrow import csv

    options = csv.WriteOptions(quoting_style="needed")
    with path.open("wb") as file:  # pyarrow itself opens no path that is not in UTF-8
        csv.write_csv(pa.Table.from_pandas(table, preserve_index=False), file, options)
