"""A fault is one line, whatever was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.base.errors import BadInput, checked_path, named_folder, nearest


def test_a_fault_is_one_line_of_bounded_length_whatever_was_found() -> None:
    assert str(BadInput("a", "b\n  c", "d\ne")) == r"a: expected b c, found 'd\ne'"
    assert len(str(BadInput("a", "b", list(range(10_000))))) < 150
    assert str(BadInput("a", "b", None)) == "a: expected b, found null"
    assert str(BadInput("a", "b")) == "a: expected b"


def test_a_fault_keeps_its_parts_below_a_prefix_and_in_a_file() -> None:
    fault = BadInput("c", "a number", "x", "try 1").under("b").under("a")
    assert str(fault) == "a.b.c: expected a number, found 'x'; try 1"
    assert str(fault.in_file("f")) == "a.b.c: expected a number, found 'x'; try 1 (in f)"
    assert str(BadInput("c", "a number").in_file("f")) == "c: expected a number; in f"


def test_only_similar_names_are_suggested() -> None:
    assert nearest("jacobain", ["identity", "jacobian"]) == "did you mean 'jacobian'?"
    assert nearest("xyz", ["identity", "jacobian"]) == ""


def test_what_cannot_be_printed_is_said_by_its_type() -> None:
    assert str(BadInput("a", "b", 10**5_000)) == "a: expected b, found a int too large to print"
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert str(BadInput("a", "b", nested)).startswith("a: expected b, found ")


@pytest.mark.parametrize("text", ["", " ", "\t\n", "a\0b", "\0", "\udcff", "a/\ud800"])
def test_what_no_system_takes_for_a_folder_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="expected a folder, found"):
        checked_path(text)
    with pytest.raises(BadInput, match=r"^out: expected a folder, found"):
        named_folder(text, "out")


def test_folders_are_named_in_any_language_and_from_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert named_folder("~/結果 é", "out") == Path("/home/somebody/結果 é")
    with pytest.raises(BadInput, match=r"^out: expected a folder, found '~nosuchuser'"):
        named_folder("~nosuchuser", "out")
