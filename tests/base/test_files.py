"""Files appear whole, and never in a folder that somebody has removed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import study
from study.base.files import make_room, read_regular, write_first, write_whole


@pytest.mark.parametrize("write", [write_whole, write_first])
def test_a_file_s_own_folder_is_made_but_not_the_study_s(
    write: Callable[[Path, bytes], object], tmp_path: Path
) -> None:
    write(tmp_path / "runs" / "a", b"content")
    assert (tmp_path / "runs" / "a").read_bytes() == b"content"
    with pytest.raises(FileNotFoundError, match=r"the study's folder has gone: '.*/out'"):
        write(tmp_path / "out" / "runs" / "a", b"content")
    assert not (tmp_path / "out").exists()


def test_room_is_made_once_and_again(tmp_path: Path) -> None:
    make_room(tmp_path / "claims")
    make_room(tmp_path / "claims")
    assert (tmp_path / "claims").is_dir()


def test_reading_takes_as_much_memory_as_the_file_has(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"content")
    assert read_regular(tmp_path / "small", most=2**62) == b"content"


def text_without_encoding(tree: ast.AST) -> Iterator[int]:
    """Yield the lines where text is read or written in whatever encoding the locale has."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        last, named = name.rpartition(".")[2], {each.arg for each in call.keywords}
        modes = [each.value for each in call.args[:2] if isinstance(each, ast.Constant)]
        mode = next((str(mode) for mode in modes if set(str(mode)) <= set("rwaxbt+")), "")
        opens = last == "open" and name != "os.open" and "b" not in mode
        if opens and "." in name and call.args and not mode:
            continue  # a method of that name of something else than a path
        if opens or last in ("read_text", "write_text", "TextIOWrapper", "fdopen"):
            wrong = "encoding" not in named
        else:  # a child's output may be in any
            wrong = last in ("run", "Popen") and "text" in named and "errors" not in named
        if wrong:
            yield call.lineno


def test_every_file_that_is_opened_for_text_names_its_encoding() -> None:
    package = Path(study.__file__).parent
    found = [
        f"{path.relative_to(package)}:{line}"
        for path in package.rglob("*.py")
        for line in text_without_encoding(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("path.read_text()", 1),
        ("path.open()", 1),
        ("path.open('w')", 1),
        ("gzip.open(path, 'rt')", 1),
        ("open(path)", 1),
        ("subprocess.run(words, text=True)", 1),
        ("path.open('xb')", 0),
        ("carrier.open(content)", 0),
        ("path.write_text(text, encoding='utf-8')", 0),
    ],
)
def test_text_without_encoding_is_found(code: str, number: int) -> None:
    assert len(list(text_without_encoding(ast.parse(code)))) == number
