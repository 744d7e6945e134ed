"""Draw every figure to files: PDF, PNG, the data as CSV, and what it shows in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports import figures
from reports.read import Records
from reports.style import styled
from reports.verdicts import Verdict


@dataclass(frozen=True)
class Drawn:
    """A figure in its files, or why there is none.

    Attributes
    ----------
    name
        Of the figure's module and of its files.
    caption
        What it shows, the first line of its module.
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
    caption = (module.__doc__ or "").splitlines()[0]
    shown = verdicts if name == "forest" else records
    table = module.data(shown)
    if table.empty:
        return Drawn(name, caption, why_not=f"needs {module.NEEDS}")
    table.to_csv(folder / f"{name}.csv", index=False)
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
