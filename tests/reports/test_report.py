"""The command, end to end: from records to a folder with everything in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pyarrow.parquet as pq
import pytest
from records import records
from test_output import ASCII, environment, with_closed

from reports import figures
from reports.__main__ import main
from reports.figures import FIGURES, few, figure
from reports.page import machines, run_table
from reports.read import read
from study.fit import main as fit

CONFIG = """
name: small
seeds: 6
vary:
  data.label_noise: [0, 1]
  model.backward: [jacobian, identity]
data: {dataset: digits, train_examples: 200}
model: {hidden: [16]}
stop: {train_accuracy: 1.0}
trainer: {max_epochs: 3}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small study's folder, trained once for all tests."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "small.yaml").write_text(CONFIG)
    out = folder / "a small study"
    assert fit(["--config", str(folder / "small.yaml"), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def report(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "out"
    assert main([str(results), "--out", str(out)]) == 0
    return out


def test_everything_is_there(report: Path) -> None:
    for name in ("index.html", "claims.md"):
        assert (report / name).stat().st_size > 1000
    for table in ("verdicts", "arms"):
        for suffix in ("csv", "md", "tex"):
            assert (report / "tables" / f"{table}.{suffix}").stat().st_size > 100
    for name in FIGURES:
        for suffix in ("pdf", "png", "csv"):
            assert (report / "figures" / f"{name}.{suffix}").stat().st_size > 100


def test_fonts_are_embedded_as_truetype(report: Path) -> None:
    for path in (report / "figures").glob("*.pdf"):
        content = path.read_bytes()
        assert b"/FontFile2" in content
        assert b"/Type3" not in content


def test_the_same_records_give_the_same_files_to_the_byte(
    report: Path, results: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    assert main([str(results), "--out", str(again)]) == 0
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
    assert not re.search(r"https?://|@import|url\(", html)


def test_numbers_on_the_page_are_those_of_the_tables(report: Path) -> None:
    html = (report / "index.html").read_text()
    table = pd.read_csv(report / "tables" / "arms.csv")
    for cell in table["test accuracy"]:
        assert cell in html
    verdicts = pd.read_csv(report / "tables" / "verdicts.csv")
    assert set(verdicts["verdict"]) <= {"supported", "refuted", "inconclusive", "not run"}
    assert html.count('class="verdict ') == len(verdicts)


def test_neither_torch_nor_lightning_is_imported(results: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from reports.__main__ import main; "
        f"assert main([{str(results)!r}, '--out', {str(tmp_path / 'r')!r}]) == 0; "
        "print([m for m in ('torch', 'pytorch_lightning', 'wandb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("style", ["talk", "web"])
def test_other_styles(style: str, results: Path, tmp_path: Path) -> None:
    assert main([str(results), "--out", str(tmp_path), "--style", style]) == 0


def test_a_figure_without_data_is_named_and_the_rest_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "one.yaml"
    config.write_text(
        "name: one\ndata: {dataset: digits, train_examples: 100}\n"
        "model: {hidden: [8]}\ntrainer: {max_epochs: 1}\n"
    )
    out = tmp_path / "one"
    assert fit(["--config", str(config), "--out", str(out)]) == 0
    assert main([str(out)]) == 0
    said = capsys.readouterr().err
    assert "figure loss_backward: needs a study that varies model.backward" in said
    assert (out / "report" / "figures" / "learning_curves.pdf").is_file()
    assert "figure loss_backward" in (out / "report" / "index.html").read_text()


@pytest.mark.parametrize("name", [name for name in FIGURES if not figure(name).of_verdicts])
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


def command(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "reports", *arguments],
        env=environment(**more),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


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


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_report_into_a_closed_pipe_is_written(stream: str, results: Path, tmp_path: Path) -> None:
    status, _ = with_closed(stream, "-m", "reports", str(results), "--out", str(tmp_path))
    assert status == 0
    assert (tmp_path / "index.html").is_file()


@pytest.mark.slow
def test_a_locale_that_is_not_utf8_changes_no_file(
    report: Path, results: Path, tmp_path: Path
) -> None:
    mine, sentence = tmp_path / "mine.yaml", "Größer als ½."
    mine.write_text(
        f"- {{id: m, sentence: {sentence}, above: 0, metric: test_accuracy, against: 0}}\n",
        encoding="utf-8",
    )
    given = (str(results), "--claims", str(mine), "--out", "Läufe – 1")
    done = command(*given, cwd=tmp_path, **ASCII)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("index.html\n")
    out = tmp_path / "Läufe – 1"
    for name in ("claims.md", "index.html", "tables/verdicts.csv", "tables/verdicts.tex"):
        assert sentence in (out / name).read_text(encoding="utf-8")
    for path in [*(report / "figures").iterdir(), *(report / "tables").glob("arms.*")]:
        if path.stem != "forest":  # which has one claim more
            assert (out / path.relative_to(report)).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_a_folder_that_a_locale_cannot_name_is_read_all_the_same(
    results: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "Läufe"
    shutil.copytree(results, folder)
    done = command(str(folder), cwd=tmp_path, **ASCII)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "report" / "index.html").is_file()


# Bad input


def test_a_figure_that_is_unknown_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--figures", "memorisation"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("reports: --figures: expected one of learning_curves, memorization, ")
    assert line.endswith("found 'memorisation'; did you mean 'memorization'?")


def test_folders_that_are_no_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "expected a study's folder" in capsys.readouterr().err


def test_a_study_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "study.yaml").write_text("name: empty\n")
    assert main([str(tmp_path)]) == 2
    assert "expected at least one run that ended" in capsys.readouterr().err


def test_a_damaged_part_is_named_and_the_rest_is_reported(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    (copy / "runs" / "torn.parquet").write_bytes(b"PAR1 torn")
    assert main([str(copy)]) == 0
    assert "torn.parquet" in capsys.readouterr().err
    assert "torn.parquet" in (copy / "report" / "index.html").read_text()


def test_of_several_folders_the_readable_ones_are_reported(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "study.yaml").write_text("name: empty\n")
    other, out = tmp_path / "no study", tmp_path / "r"
    assert main([str(other), str(results), str(tmp_path / "empty"), "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert "no study: expected a study's folder" in said
    assert "no run has ended yet" in said
    assert "no run has ended yet" in (out / "index.html").read_text()


def test_records_without_a_column_give_what_can_be_given(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    for path in (copy / "history").iterdir():
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["gradient_exact_cosine", "gradient_norm"]), path)
    assert main([str(copy)]) == 0
    ledger = pd.read_csv(copy / "report" / "tables" / "verdicts.csv")
    assert ledger["verdict"].iloc[0] == "not run"
    assert (copy / "report" / "figures" / "memorization.pdf").is_file()


def test_an_unknown_metric_in_a_claim(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("- {id: m, sentence: s, above: 0, metric: test_acuracy, against: 0}\n")
    assert main([str(results), "--claims", str(mine), "--out", str(tmp_path / "r")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("reports: claim m.metric: expected one of train_cross_entropy, ")
    assert line.endswith("found 'test_acuracy'; did you mean 'test_accuracy'?")


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
