"""One self-contained page: every style, script and image is inside it."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from reports import wording
from reports.claims import Claim
from reports.drawing import Drawn
from reports.explorer import explored, scripts, styles
from reports.inline_svg import inline_svg
from reports.pictures import picture
from reports.questions import by_question, title
from reports.read import Records
from reports.references import references
from reports.remake import COMMAND
from reports.symbols import arms as arms_of
from reports.verdicts import INCONCLUSIVE, MOST_ELSEWHERE, NOT_RUN, REFUTED, SUPPORTED, Verdict
from study.base.errors import BadInput
from study.base.text import counted, html
from study.records.ledgers import read_statement
from study.terminal.arms import in_words

HERE = Path(__file__).parent
RUN_COLUMNS = ("run", "study", "arm", "seed", "status", "epochs", "epochs_to_fit", "seconds")
METRICS = ("train_cross_entropy", "train_accuracy", "test_cross_entropy", "test_accuracy")
MOST_ROWS = 2_000
LIMITS = (
    "a verdict speaks of the network, data and settings that its claim's config names, and of "
    "nothing else; intervals of skewed effects cover less than they say (docs/claims.md)"
)


def render(
    records: Records,
    verdicts: Sequence[Verdict],
    explanations: Mapping[str, str],
    arms: pd.DataFrame,
    drawn: Sequence[Drawn],
    folders: Sequence[Path],
    left_out: Sequence[str],
    figures: Path,
    watched: str | None = None,
) -> str:
    """Return the page's HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_as_text,
    )
    environment.globals["wording"] = wording
    environment.filters["figure"] = lambda drawn: _embedded(figures, drawn)
    environment.globals["picture"] = picture
    environment.globals["arms_of"] = arms_of
    environment.globals["counted"] = counted
    studies = list(records.varied)
    return environment.get_template("page.html.j2").render(
        studies=studies,
        title=title(verdicts, studies),
        counts=counts(verdicts),
        judged=by_question(verdicts, MOST_ELSEWHERE),
        not_run=[each for each in verdicts if each.verdict == NOT_RUN],
        references=references(verdicts),
        explanations=explanations,
        arms=arms,
        drawn=drawn,
        runs=run_table(records),
        total=len(records.runs),
        environments=records.environments,
        versions=version_table(records),
        checklist=checklist(records, [each.claim for each in verdicts], folders),
        left_out=left_out,
        watched=watched,
        explored=explored(records, verdicts),
        style=Markup(styles()) + _own("page.css"),  # noqa: S704  # the package's own files
        script=_own("page.js") + Markup(scripts()),  # noqa: S704  # the same
    )


def run_table(records: Records) -> pd.DataFrame:
    """Return one row a run with what it ended with; the first 2,000."""
    columns = [*RUN_COLUMNS]
    if len(set(records.runs["environment"])) > 1:
        columns.append("environment")
    table = records.runs[columns].join(records.last()[list(METRICS)], on="run")
    table["epochs_to_fit"] = table["epochs_to_fit"].astype(float)
    return table.sort_values(["study", "arm", "seed"]).head(MOST_ROWS)


def checklist(
    records: Records, claims: Sequence[Claim], folders: Sequence[Path]
) -> list[tuple[str, str]]:
    """Return what a reproducibility checklist asks, and the answers of these records."""
    runs = records.runs
    stacking = sorted({e["stacking"] for e in records.environments.values()})
    return [
        ("Runs", f"{len(runs)}, of which {int((runs['status'] == 'diverged').sum())} diverged"),
        ("Seeds", ", ".join(map(str, sorted(runs["seed"].unique())))),
        ("Compute time", f"{runs['seconds'].sum() / 60:.1f} minutes of training, summed over runs"),
        ("Selection", selection(claims)),
        ("Hyperparameters", _settings(records)),
        (
            "Statistics",
            "inverted sign-flip intervals over seeds, at 1 - .05 / m in a family of m claims; sign "
            "tests where runs diverged or did not fit; two-way intervals over seeds and images",
        ),
        ("Data", ", ".join(f"sha256 {value[:16]}…" for value in sorted(set(runs["data_hash"])))),
        ("Same bits in any stack", ", ".join(stacking)),
        ("Machines", "; ".join(machines(records))),
        ("Dates", began(folders)),
        ("Limits", LIMITS),
        (
            "Commands",
            "; ".join(
                f"python -m study.fit --config {shlex.quote(str(f))}/study.yaml" for f in folders
            )
            + f"; python -m reports {shlex.join(map(str, folders))}",
        ),
        ("The example report, and all runs that its verdicts need", COMMAND),
        ("Citation", f"The study maintainers: study, version {version('study')}; CITATION.cff"),
    ]


def began(folders: Sequence[Path]) -> str:
    """Return when the first run of each study began, as far as its folder says so."""
    found = []
    for folder in folders:
        with contextlib.suppress(BadInput):
            if statement := read_statement(folder):
                found.append(f"{folder.name} {statement['date'][:10]}")
    return f"the first runs began: {', '.join(found)}" if found else "not recorded"


def version_table(records: Records) -> pd.DataFrame:
    """Return one row a machine and its versions: its environments, and how many runs it trained."""
    number = records.runs["environment"].value_counts()
    rows = [
        {
            "environment": name,
            "runs": int(number.get(name, 0)),
            "processor": each["processor"],
            "device": each["device"],
            "Python": each.get("python", "–"),
            **each["packages"],
        }
        for name, each in records.environments.items()
    ]
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows).fillna("–")
    same = [name for name in table if name not in ("environment", "runs")]
    merged = table.groupby(same, sort=False).agg({"environment": ", ".join, "runs": "sum"})
    return merged.reset_index()[["environment", "runs", *same]]


def counts(verdicts: Sequence[Verdict]) -> str:
    """Return how many claims were judged, and how, in a sentence."""
    number = Counter(each.verdict for each in verdicts)
    judged = len(verdicts) - number[NOT_RUN]
    parts = [
        f"{number[kind]} {kind}" for kind in (SUPPORTED, REFUTED, INCONCLUSIVE) if number[kind]
    ]
    found = f": {', '.join(parts)}" if parts else " as registered"
    return f"{judged} of {len(verdicts)} claims were judged{found}."


def selection(claims: Sequence[Claim]) -> str:
    """Return what claims choose by a result, and by which."""
    chosen: dict[str, list[str]] = {}
    for claim in claims:
        for what in (
            claim.best_of,
            "best" in (claim.at, claim.less, claim.against) and "the epoch",
        ):
            if what:
                by = claim.by or f"{claim.metric} itself"
                chosen.setdefault(f"{what} by {by}", []).append(claim.id)
    said = [f"{what}, in {', '.join(ids)}" for what, ids in chosen.items()]
    return wording.capital("; ".join([*said, "nothing else is chosen by a result"]))


def machines(records: Records) -> list[str]:
    """Return which processors and devices trained how many runs, and under which environments."""
    trained = records.runs["environment"].value_counts()
    found: dict[str, list[str]] = {}
    for name, each in records.environments.items():
        if name in trained.index:
            found.setdefault(f"{each['processor']}, {each['device']}", []).append(name)
    return [
        f"{kind}: {trained[names].sum()} runs (environment {', '.join(names)})"
        for kind, names in sorted(found.items())
    ]


def _settings(records: Records) -> str:
    """Return the studies' hyperparameters; studies that have the same are named together."""
    found: dict[str, list[str]] = {}
    for config in records.studies.values():
        optimizer = config.get("optimizer", {})
        arguments = {**optimizer, **optimizer.get("init_args", {})}  # as in older studies
        words = (
            f"hidden {_value(config, 'model', 'hidden')}, batch "
            f"{_value(config, 'data', 'batch_size')}, at most "
            f"{_value(config, 'trainer', 'max_epochs')} epochs, "
            f"{_value(config, 'optimizer', 'class_path')}"
        )
        words += "".join(
            f", {key} {value}"
            for key, value in arguments.items()
            if key not in ("class_path", "init_args", "schedule")
        )
        if optimizer.get("schedule"):
            words += f", schedule {in_words(optimizer['schedule'])}"
        found.setdefault(words, []).append(config["name"])
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in found.items())


def _value(config: Mapping[str, Any], subject: str, name: str) -> Any:
    """Return a setting of a study's config, which leaves out what varies."""
    return config.get(subject, {}).get(name, "as varied")


def _as_text(value: Any) -> Any:
    """Return what the template shows of a value; text only ever as text."""
    return Markup(html(value)) if type(value) is str else value  # noqa: S704  # escaped


def _own(name: str) -> Markup:
    text = (HERE / name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  # one of this package's own files


def _embedded(folder: Path, drawn: Drawn) -> Markup:
    svg = (folder / f"{drawn.name}.svg").read_text(encoding="utf-8")
    # matplotlib escapes every text that it writes.
    return Markup(inline_svg(svg, drawn.name.replace(".", "-"), drawn.alt))  # noqa: S704
