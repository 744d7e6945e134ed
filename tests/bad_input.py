"""What tables of bad input need: a row, and what the command answers to all rows of a table.

All rows of a table are tried one after another in a process that has imported nothing heavy, and
must not import it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CONFIG = "{config}"  # stands for the config file's path as it was given


class Case(NamedTuple):
    """A row: what is wrong, a config file's content or a command line, and the line's parts."""

    what: str
    given: str | bytes | list[str]
    key: str
    expected: str
    nearest: str = ""


RUN_ALL = """
import contextlib, io, json, os, sys
from pathlib import Path
from study.fit import main
heavy = ("torch", "torchvision", "pytorch_lightning", "wandb", "pandas", "seaborn", "scipy")
outcomes = []
for folder, argv in json.load(sys.stdin):
    os.chdir(folder)
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in Path().rglob("*"))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    after = sorted((str(path), path.lstat().st_mtime_ns) for path in Path().rglob("*"))
    outcomes.append({
        "status": status, "out": out.getvalue(), "err": err.getvalue(), "left": after != before,
        "imported": [name for name in heavy if name in sys.modules],
    })
json.dump(outcomes, sys.stdout)
"""


def furnish(folder: Path) -> None:
    """Put into a working directory what the cases about folders are about."""
    folder.mkdir(parents=True)
    (folder / "file").touch()
    (folder / "link").symlink_to("nowhere")
    for name, content in {"theirs": "name: x", "torn": "{", "list": "- name"}.items():
        (folder / name).mkdir()
        (folder / name / "study.yaml").write_text(content)
    (folder / "other").mkdir()
    (folder / "other" / "thesis.tex").touch()


def answers(cases: Sequence[Case], below: Path) -> dict[str, dict[str, Any]]:
    """Run the command on every row of a table and return what it did, by row."""
    tasks = []
    for number, case in enumerate(cases):
        folder = below / str(number) / "work"
        furnish(folder)
        argv = case.given
        if not isinstance(argv, list):
            content = argv.encode() if isinstance(argv, str) else argv
            (folder.parent / "config.yaml").write_bytes(content)
            argv = ["--config", "../config.yaml"]
        tasks.append((str(folder), argv))
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(tasks),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip([case.what for case in cases], json.loads(done.stdout), strict=True))


def checks_of(cases: Sequence[Case]) -> tuple[Any, Any, Any]:
    """Return what a file makes of its table: a fixture ``answered``, and its two tests."""

    @pytest.fixture(scope="module")
    def answered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
        return answers(cases, tmp_path_factory.mktemp("cases"))

    def rows_differ() -> None:
        assert len({case.what for case in cases}) == len(cases)
        assert len({str(case.given) for case in cases}) == len(cases)

    @pytest.mark.parametrize("case", cases, ids=[case.what for case in cases])
    def each_row_is_answered(case: Case, answered: dict[str, dict[str, Any]]) -> None:
        check_answer(case, answered[case.what])

    return answered, rows_differ, each_row_is_answered


def check_line(line: str, key: str, expected: str, near: str = "") -> None:
    """Assert that bad input was answered with one line, made of these parts."""
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert "\\n" not in line
    assert line.startswith(f"study.fit: {key}: expected ")
    assert expected in line
    assert (f"did you mean '{near}'?" in line) == bool(near)


def check_answer(case: Case, answer: dict[str, Any]) -> None:
    """Assert that a row was answered with one line before anything heavy, and left nothing."""
    assert answer["status"] == 2, answer
    assert answer["out"] == ""
    key = case.key.replace(CONFIG, "../config.yaml")
    check_line(answer["err"], key, case.expected, case.nearest)
    assert ("../config.yaml" in answer["err"]) == (not isinstance(case.given, list))
    assert answer["imported"] == []
    assert not answer["left"]
