"""Tables as Markdown and LaTeX."""

from __future__ import annotations

import pandas as pd

from reports.tables import latex, markdown

TABLE = pd.DataFrame({"a_b": ["x | y", "50% & {more} ± 1"], "long": ["z" * 41, "−1"]})


def test_latex_is_escaped_and_long_columns_break() -> None:
    lines = latex(TABLE).splitlines()
    assert lines[0] == r"\begin{tabular}{lp{0.28\linewidth}}"
    assert lines[2] == r"a\_b & long \\"
    assert lines[5] == r"50\% \& \{more\} $\pm$ 1 & $-$1 \\"
    assert lines[-1] == r"\end{tabular}"


def test_markdown_keeps_its_columns() -> None:
    lines = markdown(TABLE).splitlines()
    assert lines[:2] == ["| a_b | long |", "|---|---|"]
    assert lines[2].startswith(r"| x \| y | zz")
