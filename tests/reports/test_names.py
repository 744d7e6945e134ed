"""Names lead to what the table says or to the user's own code, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.effects import EFFECTS, Effect
from reports.figures import FIGURES, Figure, figure
from reports.names import Kind, is_outside
from study.base.errors import BadInput

KIND = Kind("constant", {"pi": "math:pi", "lost": "math:nothing"})


@pytest.mark.parametrize("name", FIGURES.names())
def test_every_figure_of_the_table_is_one(name: str) -> None:
    assert isinstance(figure(name), Figure)


@pytest.mark.parametrize("name", EFFECTS.names())
def test_every_effect_of_the_table_is_one(name: str) -> None:
    assert isinstance(EFFECTS.resolve(name, "effect"), Effect)


def test_the_tables_import_nothing_heavy() -> None:
    code = (
        "import sys, reports.command; heavy = ('numpy', 'pandas', 'matplotlib', 'scipy', 'torch'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_object_of_an_object() -> None:
    found = KIND.resolve("pathlib:Path.cwd", "key")
    assert found() == Path.cwd()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pie", "key: expected one of pi, lost, or the package.module:object .*mean 'pi'"),
        ("", "one of pi"),
        ("math:", "one of pi"),
        ("math.pi", "one of pi"),
        ("a:b:c", "one of pi"),
        ("../a:b", "one of pi"),
        (5, "found 'int'"),
        (["pi"], "found 'list'"),
        ("no_such_module:x", "an importable constant, found 'no_such_module:x'; No module named"),
        ("math:no_such", "an importable constant, found 'math:no_such'"),
        ("lost", "an importable constant, found 'lost'"),
    ],
)
def test_a_name_that_leads_nowhere(name: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as raised:
        KIND.resolve(name, "key")
    assert "\n" not in str(raised.value)


@given(st.text())
def test_a_name_is_in_the_table_or_outside_or_refused(name: str) -> None:
    if name in KIND.table or is_outside(name):
        KIND.check(name, "key")
    else:
        with pytest.raises(BadInput):
            KIND.check(name, "key")


def test_an_object_that_is_no_figure() -> None:
    with pytest.raises(BadInput, match=r"a reports\.figures\.Figure, found 'math:pi: float'"):
        figure("math:pi")
