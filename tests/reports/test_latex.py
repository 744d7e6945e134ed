"""Tables in LaTeX: escaped, 5.5 inches wide, and compiled by a real pdflatex."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from arms import claim, two_arms
from hypothesis import given
from hypothesis import strategies as st

from reports import wording
from reports.latex import BETWEEN, TEXT_POINTS, latex, widths
from reports.tables import claim_table
from reports.verdicts import judge_all

TABLE = pd.DataFrame({"a_b": ["x | y", "50% & {more} ± 1"], "long": ["z" * 41, "−1"]})
DOCUMENT = r"""\documentclass{article}
\usepackage[textwidth=5.5in]{geometry}
\usepackage{array, booktabs, longtable}
\begin{document}
%s
\end{document}
"""


def test_every_character_is_escaped() -> None:
    lines = latex(TABLE).splitlines()
    assert lines[4] == r"a\_\allowbreak{}b & long \\"
    assert lines[8] == r"50\% \& \{more\} $\pm$ 1 & $-$1 \\"


@given(st.lists(st.lists(st.text(max_size=60), min_size=1, max_size=4), min_size=1, max_size=12))
def test_columns_fill_the_text_and_no_more(columns: list[list[str]]) -> None:
    total = sum(widths(columns)) + 2 * BETWEEN * (len(columns) - 1)
    assert total <= TEXT_POINTS
    assert total == pytest.approx(TEXT_POINTS, abs=2)


def test_a_paper_has_the_judged_claims_in_six_columns() -> None:
    found = judge_all([claim(above=0)], two_arms(0.1, scale=0.02))
    (row,) = claim_table(found).to_dict("records")
    assert list(row.values())[1] == found[0].verdict
    assert (len(row), row["seeds"]) == (6, 12)
    assert row["effect [interval that decides]"] == wording.effect(found[0])
    not_run = judge_all([claim(above=0, where={"data.label_noise": 0.5})], two_arms(0.1))
    assert claim_table(not_run).empty
    assert r"\toprule" in latex(claim_table(not_run))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (Debian's texlive)")
def test_tables_and_captions_compile_and_fit(report: Path, tmp_path: Path) -> None:
    hostile = latex(pd.DataFrame({"a": [r"\input{x} #1 $%^~_& ☃ é ½ § ° ² τ ≥ “x”"], "b": ["-"]}))
    tables = [path.read_text() for path in sorted((report / "tables").glob("*.tex"))]
    captions = [path.read_text() for path in sorted((report / "figures").glob("*.tex"))]
    assert [path.stem for path in sorted((report / "tables").glob("*.tex"))] == ["arms", "claims"]
    assert len(captions) > 8
    floats = [rf"\begin{{figure}}x {each}\end{{figure}}" for each in captions]
    body = "\n\\clearpage\n".join([hostile, *tables, *floats])
    (tmp_path / "all.tex").write_text(DOCUMENT % body)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-2000:]
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", said)]
    assert max(wide, default=0) < 1
