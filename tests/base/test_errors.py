"""A fault is one line, whatever was found."""

from __future__ import annotations

from study.base.errors import BadInput, nearest


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
