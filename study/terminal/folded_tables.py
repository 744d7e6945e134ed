"""Tables that fit a terminal: nothing is cut, and no line is longer than the console is wide.

The labels of a table that is too wide are folded between their parts. If the table is still too
wide, its columns are shown in several tables, one below the other, each with the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from study.base.command import PLAIN
from study.base.text import plain
from study.terminal.arms import INDENT, packed

GAP = 2  # between columns


class Column(NamedTuple):
    """A column.

    Attributes
    ----------
    heading, cells
        The text above the column, and that of each row.
    style
        Rich style of highlighted cells.
    outstanding
        Texts of highlighted cells; None highlights every cell but ``0``.
    justify
        The side to which cells are aligned.
    """

    heading: str
    cells: Sequence[str]
    style: str = ""
    outstanding: Collection[str] | None = None
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        """Width of the widest cell."""
        return max(cell_len(text) for text in (self.heading, *self.cells))

    def styled(self, row: int) -> Text:
        """Return a cell in its style."""
        text = self.cells[row]
        out = text != "0" if self.outstanding is None else text in self.outstanding
        return Text(text, style=self.style if out else "")

    def changed(self, by: Callable[[str], str]) -> Column:
        """Return the column with all its texts changed by a function."""
        return self._replace(heading=by(self.heading), cells=[by(text) for text in self.cells])


class Tables:
    """Labelled rows in as few tables as the width of the console allows.

    A row's label has parts, with a separator between them. A group of columns stays in one table
    if it fits.
    """

    def __init__(
        self,
        heading: str,
        labels: Sequence[Sequence[str]],
        groups: Sequence[Sequence[Column]],
        separator: str = ", ",
    ) -> None:
        self.heading, self.separator = heading, separator
        self.labels = [tuple(map(plain, label)) for label in labels]
        self.groups = [[column.changed(plain) for column in group] for group in groups]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | str]:
        groups = self.groups
        if options.ascii_only:
            groups = [[column.changed(_spelt) for column in group] for group in groups]
        for number, columns in enumerate(self.split(groups, options.max_width)):
            if number:
                yield ""
            yield self._table(columns, options.max_width)

    def split(self, groups: Sequence[Sequence[Column]], width: int) -> list[list[Column]]:
        """Return the columns of each table."""
        tables: list[list[Column]] = []
        for group in groups:
            if tables and self._fits([*tables[-1], *group], width):
                tables[-1] += group
            else:
                tables += self._halved(list(group), width)
        return tables

    def _halved(self, columns: list[Column], width: int) -> list[list[Column]]:
        if len(columns) == 1 or self._fits(columns, width):
            return [columns]
        half = (len(columns) + 1) // 2
        return self._halved(columns[:half], width) + self._halved(columns[half:], width)

    def _fits(self, columns: Sequence[Column], width: int) -> bool:
        return self._narrowest() + sum(GAP + column.width for column in columns) <= width

    def _narrowest(self) -> int:
        """Return the labels' width when each part has its own line."""
        return max(
            cell_len(line)
            for label in (*self.labels, [self.heading])
            for line in packed(label, 0, self.separator)
        )

    def _table(self, columns: Sequence[Column], width: int) -> Table:
        room = max(width - sum(GAP + column.width for column in columns), len(INDENT) + 1)
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP // 2))
        table.add_column(self.heading, overflow="fold")
        for column in columns:
            table.add_column(Text(column.heading), justify=column.justify, overflow="fold")
        for number, label in enumerate(self.labels):
            cells = (column.styled(number) for column in columns)
            table.add_row(Text("\n".join(packed(label, room, self.separator))), *cells)
        return table


def _spelt(text: str) -> str:
    """Return a text in characters that every encoding has."""
    return text.translate(PLAIN)
