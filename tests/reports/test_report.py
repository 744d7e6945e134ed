"""The command, end to end: from records to a folder with everything in it."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from processes import command
from records import records

from reports import figures
from reports.__main__ import main
from reports.figures import FIGURES, few, figure
from reports.page import machines, run_table
from reports.read import read

DRAWN = [name for name in FIGURES if name != "destroyed_inputs"]  # its inputs are as they are


def test_everything_is_there(report: Path) -> None:
    for name in ("index.html", "claims.md"):
        assert (report / name).stat().st_size > 1000
    for table in ("verdicts.csv", "verdicts.md", "claims.tex", "arms.csv", "arms.md", "arms.tex"):
        assert (report / "tables" / table).stat().st_size > 100
    for name in DRAWN:
        for suffix in ("pdf", "png", "svg", "csv"):
            assert (report / "figures" / f"{name}.{suffix}").stat().st_size > 100


def test_fonts_are_embedded_as_truetype(report: Path) -> None:
    for path in (report / "figures").glob("*.pdf"):
        content = path.read_bytes()
        assert b"/FontFile2" in content
        assert b"/Type3" not in content


def test_the_same_records_give_the_same_files_to_the_byte(
    report: Path, results: Path, tmp_path: Path
) -> None:
    again, claims = tmp_path / "again", results.parent / "claims.yaml"
    assert main([str(results), "--out", str(again), "--claims", str(claims)]) == 0
    files = [path.relative_to(report) for path in report.rglob("*") if path.is_file()]
    assert len(files) > 30
    for path in files:
        assert (again / path).read_bytes() == (report / path).read_bytes(), path


class Links(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.images_without_alt = 0
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.found += [value for key in ("src", "href") if (value := named.get(key))]
        self.images_without_alt += tag == "img" and not named.get("alt")
        if identity := named.get("id"):
            self.ids.append(identity)


def test_the_page_needs_nothing_from_elsewhere(report: Path) -> None:
    html = (report / "index.html").read_text()
    links = Links()
    links.feed(html)
    assert links.images_without_alt == 0
    assert len(links.ids) == len(set(links.ids))
    for link in links.found:
        if link.startswith("#"):
            assert link[1:] in links.ids
        elif not link.startswith("data:"):
            assert (report / link).is_file()
    html = re.sub(r"/\*!.*?\*/", "", html)  # the addresses of authors
    html = html.replace('"http://www.w3.org/2000/svg"', "")  # the name of SVG, which is no address
    assert not re.search(r"https?://|@import|url\((?!#|\")", html)


def test_numbers_on_the_page_are_those_of_the_tables(report: Path) -> None:
    html = (report / "index.html").read_text()
    table = pd.read_csv(report / "tables" / "arms.csv")
    for cell in table["test accuracy"]:
        assert cell in html
    verdicts = pd.read_csv(report / "tables" / "verdicts.csv")
    assert set(verdicts["verdict"]) <= {"supported", "refuted", "inconclusive", "not run"}
    judged = verdicts[(verdicts["verdict"] != "not run") & (verdicts["setting"] == "as registered")]
    assert len(judged) == 1  # the claim of these tests; the shipped ones have other configs
    for row in judged.to_dict("records"):
        assert f'id="claim-{row["claim"]}"' in html or row["claim"] in html
        assert row["effect [interval that decides]"] in html
    assert f"1 of {verdicts['claim'].nunique()} claims were judged" in html


@pytest.mark.slow
def test_neither_torch_nor_lightning_is_imported(results: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from reports.__main__ import main; "
        f"assert main([{str(results)!r}, '--out', {str(tmp_path / 'r')!r}]) == 0; "
        "print([m for m in ('torch', 'pytorch_lightning', 'wandb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("style", ["talk", "web"])
def test_other_styles(style: str, results: Path, tmp_path: Path) -> None:
    assert main([str(results), "--out", str(tmp_path), "--style", style]) == 0


@pytest.mark.parametrize("name", [name for name in DRAWN if not figure(name).of_verdicts])
def test_a_figure_is_drawn_from_a_notebook(name: str, results: Path) -> None:
    records, its = read([results]), figure(name)
    axes = plt.figure().gca()
    assert its.draw(records, axes) is axes
    if name != "gallery":
        assert axes.get_ylabel()
        assert axes.get_title() == ""
    assert len(its.alt(records)) > 40
    plt.close("all")


MINE = """
import pandas as pd
from reports.figures import Figure

def data(records):
    return records.runs[["seed", "seconds"]]

def draw(records, ax=None):
    ax.scatter(*data(records).to_numpy().T)
    return ax

seconds = Figure("Seconds by seed.", data, draw, lambda records: "Points.", needs="any study")

def of_verdicts(verdicts):
    assert verdicts[0].claim
    return pd.DataFrame()

nothing = Figure("Nothing.", of_verdicts, draw, str, "luck", of_verdicts=True)
"""


@pytest.mark.slow
def test_a_figure_from_outside_the_package(results: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "figures.py").write_text(MINE)
    named = [f"--figures=mine.figures:{name}" for name in ("seconds", "nothing", "seconds")]
    done = command(str(results), *named, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "figure mine.figures.nothing: needs luck" in done.stderr
    drawn = tmp_path / "out" / "figures"
    assert len(pd.read_csv(drawn / "mine.figures.seconds.csv")) == 24
    for suffix in ("pdf", "png"):
        assert (drawn / f"mine.figures.seconds.{suffix}").stat().st_size > 100
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("Seconds by seed.") == 1
    assert "figures/mine.figures.seconds.pdf" in page
    assert (drawn / "memorization.png").is_file()


def test_the_page_says_which_machine_trained_which_runs() -> None:
    made = records(
        4,
        [{"data.label_noise": 0}, {"data.label_noise": 1}],
        lambda seed, facts, epoch: {},
        outcome=lambda seed, facts: {"environment": ["a", "b", "c", "a"][seed]},
    )
    kinds = {"a": "old", "b": "new", "c": "new", "unused": "new"}
    made.environments.update(
        {name: {"processor": kind, "device": "cpu"} for name, kind in kinds.items()}
    )
    assert machines(made) == [
        "new, cpu: 4 runs (environment b, c)",
        "old, cpu: 4 runs (environment a)",
    ]
    table = run_table(made)
    assert sorted(table["environment"]) == ["a", "a", "a", "a", "b", "b", "c", "c"]


def test_of_many_runs_the_first_by_seed_are_drawn_by_themselves_and_the_caption_says_so() -> None:
    number = figures.MOST_SINGLE + 1
    table = pd.DataFrame({"run": [f"r{n}" for n in range(number)], "seed": range(number, 0, -1)})
    its = figure("memorization")
    assert set(few(table, "run")["seed"]) == set(range(1, number))
    assert its.caption(table).endswith(f"the first 200 of {number}, by seed.")
    assert its.caption(table[1:]) == (its.about or "").splitlines()[0]
