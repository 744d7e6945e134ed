"""README, CONTRIBUTING and docs: their examples run, and what they name exists."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from reports.claims import load_claims
from study.__main__ import main as study_main
from study.fit import main as fit

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
MOST_WORDS = 1_000

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(
    r"(?:study|reports|tests|configs|docs|examples|slurm|benchmarks|\.ci)/[\w./]*|pyproject\.toml"
)
DOTTED = re.compile(r"(?:study|reports|benchmarks)(?:\.\w+)+(?<!\.yaml)")
FILE_NAME = re.compile(r"# (\w+\.(?:yaml|py))\n")

SMALL = """
name: random
seeds: 2
vary: {data.label_noise: [0, 1]}
data: {dataset: digits, train_examples: 200}
model: {hidden: [16]}
trainer: {max_epochs: 2}
wandb: {mode: off}
"""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    number: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """What the block's first line says that its file is called; empty when it does not."""
        found = FILE_NAME.match(self.text)
        return found[1] if found else ""


def blocks(language: str) -> list[Block]:
    """Return all blocks of one language."""
    return [
        Block(page, number, language, text)
        for page in PAGES
        for number, (its, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")))
        if its == language
    ]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def parameters(language: str) -> list[Any]:
    """Return the blocks of one language for `pytest.mark.parametrize`."""
    return [pytest.param(each, id=f"{each.page.stem}-{each.number}") for each in blocks(language)]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stand in a folder with the checkout's folders, the examples' files and a recorded study."""
    folder, before = tmp_path_factory.mktemp("docs"), Path.cwd()
    for name in ("configs", "slurm", "reports", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    for block in [*blocks("yaml"), *blocks("python")]:
        if block.name:
            (folder / block.name).write_text(block.text)
    (folder / "random.yaml").write_text(SMALL)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    assert fit(["--config", "random.yaml"]) == 0
    (folder / "random.yaml").unlink()
    yield folder
    sys.path.remove(str(folder))
    os.chdir(before)


NAMESPACES: dict[Path, dict[str, Any]] = {}  # the blocks of a page are one script


@pytest.mark.parametrize("block", parameters("python"))
def test_python_runs(block: Block, workplace: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(block.text, f"{block.page}", "exec"), NAMESPACES.setdefault(block.page, {}))


@pytest.mark.parametrize("block", parameters("yaml"))
def test_yaml_is_a_config_or_claims(block: Block, workplace: Path) -> None:
    if isinstance(yaml.safe_load(block.text), list):
        assert load_claims([workplace / block.name])
    else:
        assert fit(["--config", block.name, "--plan"]) == 0


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each of this package's commands in a block of shell."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|;|\bdo\b", line):
            words = shlex.split(part, comments=True)
            if words[:2] == ["python", "-m"]:
                yield ["python", *words[2:]]
            elif words[:1] == ["study"]:
                yield words


COMMANDS = [
    pytest.param(words, id=f"{block.page.stem}-{' '.join(words[:4])}")
    for block in blocks("sh")
    for words in commands(block.text)
]


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_take_their_options(
    words: Sequence[str], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("$config", "configs/random.yaml") for word in words]
    if words[:2] == ["study", "fit"]:
        assert study_main([*words[1:], "--plan"]) == 0
    elif words[:2] == ["study", "submit"]:
        assert study_main(["submit", "--dry-run", *words[2:]]) == 0
    else:
        with pytest.raises(SystemExit) as left:
            run([*words, "--help"])
        assert left.value.code == 0
        shown = capsys.readouterr().out
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        assert all(re.search(rf"{option}\b", shown) for option in options)


def run(words: Sequence[str]) -> None:
    """Run one of this package's commands, as `commands` gives it."""
    if words[0] == "study":
        sys.exit(study_main(words[1:]))
    module = words[1]
    package = importlib.util.find_spec(module)
    assert package is not None
    name = f"{module}.__main__" if package.submodule_search_locations else module
    sys.exit(importlib.import_module(name).main(words[2:]))


@pytest.mark.slow
@pytest.mark.timeout(1800)  # two minutes of processor time, on machines that may be busy
def test_the_two_commands_of_the_readme(workplace: Path, tmp_path: Path) -> None:
    first, second = itertools.islice(commands(blocks("sh")[0].text), 2)
    out = str(tmp_path / "random")
    assert study_main([*first[1:], "--wandb.mode", "off", "--out", out]) == 0
    assert study_main([word.replace("results/random", out) for word in second[1:]]) == 0
    assert (tmp_path / "random" / "report" / "index.html").is_file()


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_and_names_exist(page: Path) -> None:
    spans = CODE.findall(prose(page))
    shell = [block.text for block in blocks("sh") if block.page == page]
    words = {word for each in [*spans, *shell] for word in each.split()}
    missing = {word for word in words if not exists(word)}
    assert not missing


def exists(word: str) -> bool:
    """Tell whether a word is no path of the checkout and no dotted name, or leads somewhere."""
    if PATH.fullmatch(word):
        return (ROOT / word).exists()
    return not DOTTED.fullmatch(word) or leads_somewhere(word)


def leads_somewhere(dotted: str) -> bool:
    """Tell whether a dotted name leads to a module or to something in one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        with contextlib.suppress(ImportError):
            thing = importlib.import_module(".".join(parts[:end]))
            for part in parts[end:]:
                thing = getattr(thing, part, None)
            return thing is not None
    return False


def test_every_page_of_docs_is_linked_from_the_readme() -> None:
    linked = set(LINK.findall(prose(README)))
    assert {f"docs/{page.name}" for page in PAGES if page.parent == ROOT / "docs"} <= linked


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= MOST_WORDS


def test_what_is_generated_is_what_the_code_says() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    pages = generate["pages"]()
    names = {"README.md", "claims.md", "config.md", "records.md", "speed.md"}
    assert {path.name for path in pages} == names
    for path, content in pages.items():
        assert path.read_text(encoding="utf-8") == content, "run python docs/generate.py"


def test_the_shipped_configs_train_as_many_runs_as_their_table_says(workplace: Path) -> None:
    from study.runs.command_line import read

    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(configs/\w+\.yaml)` \|.*\| (\d+) \|$", page, re.MULTILINE)
    told = {name: int(number) for name, number in rows}
    there = {f"configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    assert set(told) == there - {"configs/wandb_sweep.yaml"}
    assert told == {name: len(read(["--config", name]).study.runs) for name in told}
