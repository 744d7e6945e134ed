"""Text from a folder is shown as text, whatever it holds: each output is parsed back."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
import shutil
import unicodedata
import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import study
from reports.latex import latex
from reports.tables import for_csv, markdown
from study.base import text
from study.base.errors import BadInput
from study.diff import main as diff
from study.records.live import FOLDER
from study.records.parquet import parquet, read_part
from study.status import main as status
from study.terminal.arms import arm_label
from study.terminal.console import console
from study.terminal.folded_tables import Column, Tables

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"
PIECES = [
    "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\n", "\t", "\x00", "\x7f", "\x85", "\u2028",
    "\u202e", "\u2066", "\u200b", "\ufeff", "\udc9b", "\ud800", "[red]", "[/]", ":smile:", "|",
    "\\|", "\\", "<script>", "</td>", "<!--", "&lt;", "&#124;", "](http://x)", "![", "`", "*", "__",
    "~~", "=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1", ";", ",", '"', "'", "\\input{x}", "$x$", "%",
    "{", "}", "#", "^^41", "~", "&", "\\end{tabular}", "\\\\", "label_noise 1", "±", "−", "–", " ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map("".join)
TABLES = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4)


def assert_seen(shown: str, breaks: str = "") -> None:
    """Assert that a text has nothing that a terminal obeys or does not show."""
    bad = {each for each in shown if unicodedata.category(each)[0] in "C" and each not in breaks}
    bad |= {each for each in shown if unicodedata.category(each) in ("Zl", "Zp")}
    # A font may lack a letter, but letters that no standard knows are written out.
    assert not bad


@given(TEXTS)
def test_a_terminal_gets_one_line_of_visible_letters(given_text: str) -> None:
    shown = text.plain(given_text)
    assert_seen(shown)
    assert text.plain(shown) == shown
    if given_text.isprintable():
        assert shown == given_text
    assert_seen(str(BadInput(given_text, "a number", given_text, given_text)))
    assert_seen(arm_label({f"data.{given_text}": given_text}))


@given(TEXTS)
def test_the_console_adds_nothing_and_obeys_nothing(given_text: str) -> None:
    made = console()
    made.file = out = io.StringIO()
    made.width = 10_000
    made.print(given_text)
    table = Tables(given_text, [[given_text]], [[Column(given_text, [given_text])]])
    made.print(table, table)
    lines = out.getvalue().split("\n")
    for line in lines:
        assert_seen(line, keep_of_paths(line))
    shown = text.plain(given_text).rstrip()
    assert lines[-2].rstrip().endswith(shown)


def keep_of_paths(line: str) -> str:
    """Return the bytes of paths that a line has: Python's stand-ins, which streams write."""
    return "".join(each for each in line if 0xDC80 <= ord(each) <= 0xDCFF)


@given(TABLES)
def test_markdown_keeps_rows_cells_and_text(rows: list[tuple[str, str]]) -> None:
    written = markdown(pd.DataFrame(rows, columns=["a", "b"], dtype=object))
    assert len(written.splitlines()) == 2 + len(rows)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written)
    assert tokens[0].type == "table_open"
    assert tokens[-1].type == "table_close"
    cells = [each for each in tokens if each.type == "inline"][2:]
    for cell, given_text in zip(cells, [each for row in rows for each in row], strict=True):
        inner = cell.children or []
        assert {each.type for each in inner} <= {"text", "text_special"}
        assert "".join(each.content for each in inner) == text.plain(given_text).strip()
    assert not tags(written)


@given(TABLES)
def test_a_spreadsheet_gets_no_formula(rows: list[tuple[str, str]]) -> None:
    table = for_csv(pd.DataFrame(rows, columns=["a", "b"], dtype=object))
    written = table.to_csv(index=False)
    assert len(written.splitlines()) == 1 + len(rows)
    for found, row in zip(list(csv.reader(io.StringIO(written)))[1:], rows, strict=True):
        assert len(found) == 2
        for cell, given_text in zip(found, row, strict=True):
            assert cell.removeprefix("'") == text.plain(given_text).removeprefix("'")
            number = re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?", cell)
            assert number or unicodedata.normalize("NFKC", cell).lstrip()[:1] not in set("=+-@")


COMMAND = re.compile(
    r"\\(textbackslash|textasciitilde|textasciicircum|textbar|allowbreak|dots)\{\}|\\[&%$#_{}]"
)
MATH = re.compile(r"\$(\\(pm|times|geq|leq|approx|tau|cdot)|-|<|>)\$")


@given(TABLES)
def test_latex_keeps_rows_and_has_no_command_but_its_own(rows: list[tuple[str, str]]) -> None:
    written = latex(pd.DataFrame(rows, columns=["a", "b"], dtype=object))
    *head, bottom, end = written.splitlines()
    lines = head[7:]
    assert (bottom, end) == (r"\bottomrule", r"\end{longtable}}")
    assert head[3:7] == [r"\toprule", r"a & b \\", r"\midrule", r"\endhead"]
    assert len(lines) == len(rows)
    for line in lines:
        rest = MATH.sub("", COMMAND.sub("", line.removesuffix(r" \\")))
        assert rest.count("&") == 1
        assert not set(rest) & set("\\%$#_{}~^<>|")
        assert_seen(rest)


class Tags(html.parser.HTMLParser):
    """Notes the tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(" ".join([tag, *(f"{k}={v}" for k, v in attrs)]))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.tags.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.tags.append("instruction")

    def handle_data(self, data: str) -> None:
        self.text += data


def tags(page: str) -> list[str]:
    parser = Tags()
    parser.feed(page)
    parser.close()
    return parser.tags


@given(TEXTS)
def test_html_has_the_text_and_no_tag_of_it(given_text: str) -> None:
    shown = text.plain(given_text, keep="\n")
    parser = Tags()
    parser.feed(f'<p title="{text.html(given_text)}">{text.html(given_text)}</p>')
    parser.close()
    assert parser.tags == [f"p title={shown}", "/p"]
    assert parser.text == shown
    assert_seen(parser.text, "\n")


HOSTILE = "\x1b[2J\u202e<img src=x>|=1+1\n\r$\\frac$[red]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a study's folder in which all that may be any text is hostile."""
    out = shutil.copytree(FORMAT1, tmp_path / "study")
    (path,) = (out / "runs").iterdir()
    table = read_part(path)
    assert table is not None
    at = table.column_names.index("data.label_scheme")
    cells = [HOSTILE, f"{HOSTILE}2"] * 2
    table = table.set_column(at, "data.label_scheme", [cells])
    path.write_bytes(parquet(table.append_column("error", [[HOSTILE] * 4])))
    (out / FOLDER).mkdir()
    task = {"task": "0" * 12, "share": HOSTILE, "began": 1.0, "host": HOSTILE, "pid": 1}
    task |= {"job": HOSTILE, "state": HOSTILE}
    (out / FOLDER / f"{'0' * 12}.jsonl").write_text(json.dumps(task) + "\n")
    (out / "environment" / "fb181027c496.json").write_text(json.dumps({"processor": HOSTILE}))
    return out


def test_status_and_diff_show_what_a_folder_says_as_text(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status([str(folder)]) == 0
    shown = capsys.readouterr().out
    assert_seen(shown, "\n")
    assert r"\x1b[2J\u202e<img src=x>|=1+1\n\r$\frac$[red]" in shown.replace("\n", "")
    assert diff([str(folder), str(FORMAT1)]) == 1
    shown = capsys.readouterr().out
    assert_seen(shown, "\n")
    assert r"\u202e<img" in shown


def test_a_file_s_name_in_a_warning_is_text(folder: Path) -> None:
    (folder / "runs" / f"{HOSTILE.replace('/', '')}.parquet").write_bytes(b"torn")
    with pytest.warns(UserWarning, match="not a whole part") as caught:
        study.load(folder)
    assert_seen(str(caught[0].message))


@pytest.mark.slow  # draws all figures
def test_a_report_of_hostile_labels_has_no_markup_of_theirs(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from reports.__main__ import main as report

    shutil.copyfile(FORMAT1 / "environment" / "fb181027c496.json",
                    folder / "environment" / "fb181027c496.json")  # fmt: skip
    config = folder / "study.yaml"
    name = json.dumps(HOSTILE)
    said = config.read_text().replace("name: format1", f"name: {name}")
    config.write_text(said.replace("data.label_noise:", "data.label_scheme:"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert report([str(folder), "--out", str(tmp_path / "report")]) == 0
    assert_seen("".join(capsys.readouterr()), "\n")
    page = (tmp_path / "report" / "index.html").read_text()
    assert r"\u202e&lt;img src=x&gt;" in page
    assert "img src=x" not in tags(page)
    assert_seen(page, "\n")
    for path in (tmp_path / "report").rglob("*"):
        if path.suffix in (".csv", ".md", ".tex"):
            assert_seen(path.read_text(), "\n")
        if path.suffix == ".md":  # in a code span, which shows what it holds
            assert "img src=x" not in tags(MarkdownIt("commonmark").render(path.read_text()))
        if path.suffix == ".tex":
            assert "<img" not in path.read_text()
