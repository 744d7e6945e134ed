"""Nothing in a folder that somebody sends hangs, explodes, leaks or ends in a traceback.

Each door to a results folder gives what is sound in it, and one line for each file that is not.
"""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hostile import DOORS, make, opened
from hostile_contents import CONTENTS
from hostile_places import FOLDERS, PLACES, SECRET, Damage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import study
from study.base.errors import LeftOut

KINDS = ("runs", "history", "answers", "environment", "images", "weights", "progress", "measures")
OTHERS = ("study.yaml", "study.1.yaml", "claims.json", "sources", "routes", "locks")
MEMORY = 2**31  # bytes beyond what the process has
# Of the many, one of each kind for every run of the tests; the whole campaign is slow.
FEW = (
    *("yaml aliases", "yaml vary optimizer", "environment many threads", "environment deep"),
    *("progress epoch", "progress rows", "images promised", "runs null ids", "runs equal ids"),
    *("runs facts deep", "runs facts callbacks", "runs environment path", "runs without seed"),
    *("runs bomb", "runs text bomb", "history late epochs", "history text", "history fact"),
    *("answers unequal lists", "measures text"),
)


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("sound"))


@contextmanager
def bounded_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def attack(sound: Path, tmp_path: Path, which: str, damage: Damage) -> dict[str, tuple[str, str]]:
    """Damage a copy of the study and return what each door gives, and the lines it says."""
    folder = tmp_path / "mail" / "out"
    shutil.rmtree(folder.parent, ignore_errors=True)
    shutil.copytree(sound, folder)
    damage(sorted(folder.glob(which))[0])
    with bounded_memory():
        found = {door.__name__: opened(door, folder) for door in DOORS}
    for name, (content, lines) in found.items():
        assert SECRET not in content + lines, name
        for line in lines.splitlines():
            assert str(folder) in line or line.startswith("data."), line
    return found


def one_file(kind: str) -> str:
    return kind if "." in kind else f"{kind}/*"


@pytest.mark.parametrize("damage", PLACES[:6], ids=lambda each: each.__name__)
def test_nothing_but_a_file_is_opened_in_the_place_of_one(
    sound: Path, tmp_path: Path, damage: Damage
) -> None:
    for kind in ("runs", "environment", "progress"):
        found = attack(sound, tmp_path, one_file(kind), damage)
        assert any(kind in lines for _, lines in found.values())
    content, lines = attack(sound, tmp_path, "history/*", damage)["door_load"]
    assert "history" in lines
    assert content.count(",finished,") == 2  # the other part's runs are read


@pytest.mark.slow
@pytest.mark.parametrize("damage", PLACES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("kind", [*KINDS, *OTHERS])
def test_no_file_does_harm(sound: Path, tmp_path: Path, kind: str, damage: Damage) -> None:
    attack(sound, tmp_path, one_file(kind), damage)


@pytest.mark.slow
@pytest.mark.parametrize("damage", FOLDERS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("kind", [*KINDS, *OTHERS[3:]])
def test_no_folder_does_harm(sound: Path, tmp_path: Path, kind: str, damage: Damage) -> None:
    attack(sound, tmp_path, kind, damage)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in FEW else pytest.mark.slow) for n in CONTENTS]
)
def test_no_content_does_harm(sound: Path, tmp_path: Path, name: str) -> None:
    attack(sound, tmp_path, *CONTENTS[name])


@pytest.mark.parametrize("name", ["runs null ids", "runs equal ids", "history null ids"])
def test_runs_without_an_id_of_their_own_do_not_vanish_silently(
    sound: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(sound, folder)
    which, damage = CONTENTS[name]
    damage(sorted(folder.glob(which))[0])
    with pytest.warns(LeftOut, match=rf"{which[:-2]}/\w+\.parquet: not a whole part"):
        assert len(study.load(folder).runs) == 2


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_no_bytes_do_harm(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Flip and cut bytes anywhere in any file."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, max(0, len(content) - 1)))
            content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=8))
        path.write_bytes(content)

    kind = data.draw(st.sampled_from([*KINDS, *OTHERS]))
    attack(sound, tmp_path_factory.mktemp("bytes"), one_file(kind), damage)
