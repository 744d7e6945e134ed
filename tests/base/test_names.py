"""Names: read without importing, one spelling an object, and the user's own by their path."""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from study.base import names
from study.base.errors import BadInput
from study.base.names import ACTIVATION, BACKWARD, DATASET, LOSS, OPTIMIZER, Kind, source_hash

KINDS = [each for each in vars(names).values() if isinstance(each, Kind)]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.table for kind in KINDS])
def test_built_in_names_are_the_keys_of_the_table_and_resolve_to_its_objects(kind: Kind) -> None:
    table = getattr(importlib.import_module(kind.module), kind.table)
    assert kind.names() == tuple(table)
    for name in kind.names():
        assert kind.check(name) == name
        assert kind.resolve(name, "key") is table[name]


def test_names_are_read_without_importing_their_file() -> None:
    script = (
        "import sys; from study.base import names\n"
        "print([kind.names() for kind in vars(names).values() if isinstance(kind, names.Kind)])\n"
        "assert not {'torch', 'numpy', 'study.nn.losses'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "squared_error" in done.stdout


@pytest.mark.parametrize(
    ("kind", "given", "spelled"),
    [
        (OPTIMIZER, "torch.optim:Adam", "torch.optim.Adam"),
        (OPTIMIZER, "torch.optim.Adam", "torch.optim.Adam"),
        (OPTIMIZER, "my.module:Outer.Inner", "my.module:Outer.Inner"),
        (OPTIMIZER, "study:Adam", "study.Adam"),
        (LOSS, "my.losses:hinge", "my.losses:hinge"),
        (DATASET, "arrays:mine@0123456789ab", "arrays:mine@0123456789ab"),
    ],
)
def test_an_object_has_one_spelling(kind: Kind, given: str, spelled: str) -> None:
    assert kind.check(given) == spelled


@pytest.mark.parametrize(
    ("kind", "given", "near"),
    [
        (BACKWARD, "jacobain", "jacobian"),
        (BACKWARD, "study.nn.softmax:softmax", ""),
        (ACTIVATION, "torch.relu", ""),
        (ACTIVATION, "torch:", ""),
        (ACTIVATION, ":relu", ""),
        (ACTIVATION, "os:path/../x", ""),
        (ACTIVATION, "my module:relu", ""),
        (ACTIVATION, "módulo:relu", ""),
        (ACTIVATION, "a:b:c", ""),
        (ACTIVATION, "arrays:x", "arrays"),
        (OPTIMIZER, "Adam", ""),
        (OPTIMIZER, "study.nn.adam.Adam", "study.Adam"),
        (OPTIMIZER, "study.nn.adam:Adam", ""),
        (LOSS, "", ""),
    ],
)
def test_unknown_names_do_not_fall_through(kind: Kind, given: str, near: str) -> None:
    if near == "arrays":
        assert kind.check(given) == given  # a path as any other, where no arrays are made
        return
    with pytest.raises(BadInput, match="expected one of") as fault:
        kind.check(given)
    assert not near or f"did you mean '{near}'?" in str(fault.value)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write modules as a user would."""
    path = tmp_path / "names_of_mine.py"
    path.write_text(
        "from study import Adam\nclass Outer:\n    class Inner: pass\ndef act(x): return x\n"
    )
    (tmp_path / "names_that_exit.py").write_text("import sys; sys.exit()")
    (tmp_path / "names_that_fail.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    return path


def test_an_outside_name_is_imported(mine: Path) -> None:
    found = ACTIVATION.resolve("names_of_mine:act", "model.activation")
    assert found(3) == 3
    assert OPTIMIZER.resolve("names_of_mine:Outer.Inner", "k").__name__ == "Inner"
    assert source_hash("names_of_mine:act") == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert len(source_hash("builtins:print")) == 64


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("names_of_mine:acd", "did you mean 'act'?"),
        ("names_of_nobody:act", "No module named 'names_of_nobody'"),
        ("names_that_exit:act", "SystemExit"),
        ("names_that_fail:act", "division by zero"),
    ],
)
@pytest.mark.usefixtures("mine")
def test_an_outside_name_that_cannot_be_had_is_said_in_one_line(name: str, said: str) -> None:
    with pytest.raises(BadInput) as fault:
        ACTIVATION.resolve(name, "model.activation")
    text = f"model.activation: expected an activation that can be imported, found '{name}'"
    assert str(fault.value).startswith(text)
    assert said in str(fault.value)


@pytest.mark.usefixtures("mine")
def test_a_built_in_object_under_an_outside_path_is_refused() -> None:
    with pytest.raises(BadInput, match=r"one name for one object.*it is 'study\.Adam'"):
        OPTIMIZER.resolve("names_of_mine.Adam", "optimizer.class_path")


def test_arrays_are_known_to_the_process_that_made_them_alone() -> None:
    with pytest.raises(BadInput, match="made in this process, found 'arrays:x@1'"):
        DATASET.resolve("arrays:x@1", "data.dataset")
