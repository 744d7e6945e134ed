"""Tables as Markdown."""

from __future__ import annotations

import pandas as pd

from reports.tables import markdown

TABLE = pd.DataFrame({"a_b": ["x | y", "50% & {more} ± 1"], "long": ["z" * 41, "−1"]})


def test_markdown_keeps_its_columns() -> None:
    lines = markdown(TABLE).splitlines()
    assert lines[:2] == ["| a_b | long |", "|---|---|"]
    assert lines[2].startswith(r"| x \| y | zz")
