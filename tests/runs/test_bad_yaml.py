"""YAML that surprises, that grows, or that Python's own readers choke on: one line, at once."""

from __future__ import annotations

import pytest
import yaml
from bad_input import CONFIG, Case, checks_of
from hypothesis import given
from hypothesis import strategies as st

from study.runs import yaml_text

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LINE_1 = f"{CONFIG}, line 1"
NUMBER = "expected a number of at most 40 signs that a float holds, without a 0 before it, found"
CASES = [
    Case("a time", "seeds: 1:30", "seeds", "a number of at least 1, or a list", ""),
    Case("octal", "seeds: 010", LINE_1, f"{NUMBER} 010"),
    Case("a real number with a 0", "data: {label_noise: 00.5}", LINE_1, f"{NUMBER} 00.5"),
    Case("off", "keep_weights: off", "keep_weights", "true or false, found 'off'"),
    Case("yes", "keep_weights: yes", LINE_1, "true or false, or text in quotes, found yes"),
    Case(
        "no, for somebody else's optimizer",
        "optimizer: {class_path: torch.optim.SGD, nesterov: no}",
        LINE_1,
        "true or false, or text in quotes, found no",
    ),
    Case(
        "off, for somebody else's optimizer",
        "optimizer: {class_path: torch.optim.SGD, nesterov: off}",
        "optimizer.nesterov",
        "true or false, found 'off'",
    ),
    Case("underscore", "seeds: 1_000", "seeds", "a number of at least 1, or a list"),
    Case("date", "seeds: 2024-01-01", "seeds", "found '2024-01-01'"),
    Case("underflow", "data: {label_noise: 1e-400}", LINE_1, f"{NUMBER} 1e-400"),
    Case("overflow", "optimizer: {lr: 1e400}", LINE_1, f"{NUMBER} 1e400"),
    Case("400 digits", f"optimizer: {{lr: 1{'0' * 400}}}", LINE_1, f"{NUMBER} 1000"),
    Case("5,000 digits", f"seeds: {'9' * 5_000}", LINE_1, f"{NUMBER} 9999"),
    Case(
        "400 digits, an option", ["--optimizer.lr", f"1{'0' * 400}"], "optimizer.lr, line 1", NUMBER
    ),
    Case("5,000 digits, an option", ["--seeds", "9" * 5_000], "seeds, line 1", NUMBER),
    Case("set", "seeds: !!set {1, 2}", LINE_1, "the tag tag:yaml.org,2002:set is not taken"),
    Case("binary", "name: !!binary aGk=", LINE_1, "the tag tag:yaml.org,2002:binary"),
    Case(
        "timestamp", "name: !!timestamp 2024-01-01", LINE_1, "the tag tag:yaml.org,2002:timestamp"
    ),
    Case("deep", f"seeds: {'[' * 3_000}", CONFIG, "YAML; nested more than 40 deep"),
    Case("deep mappings", "{a: " * 3_000, CONFIG, "YAML; nested more than 40 deep"),
    Case(
        "deep, an option",
        ["--model.hidden", "[" * 3_000],
        "model.hidden",
        "YAML; nested more than 40 deep",
    ),
    Case("alias bomb", BOMB, f"{CONFIG}, line 6", "more than 200000 values, aliases written out"),
    Case("alias of itself", "seeds: &a [*a]", LINE_1, "an alias of what it stands in"),
    Case("mapping of itself", "data: &a {root: *a}", LINE_1, "an alias of what it stands in"),
    Case("merge of itself", "data: &a {<<: *a}", LINE_1, "an alias of what it stands in"),
    Case("unknown alias", "seeds: *a", LINE_1, "found undefined alias"),
    Case("large", f"# {'x' * 2**22}", CONFIG, "more than 4194304 characters"),
    Case("half a character", b"name: \xed\xa0\x80", CONFIG, "a text file in UTF-8"),
    Case("a list as a key", "[1]: 2", LINE_1, "found unhashable key"),
]


answered, test_rows_differ, test_bad_input_is_answered_with_one_line_and_leaves_nothing = checks_of(
    CASES
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("1:30", "1:30"),
        ("0o17", 15),
        ("0x1F", 31),
        ("+5", 5),
        ("-0", 0),
        ("0", 0),
        ("0.0", 0.0),
        ("0e5", 0.0),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("5e-324", 5e-324),
        ("True", True),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("null", None),
        ("'yes'", "yes"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("!!str 010", "010"),
    ],
)
def test_scalars_are_those_of_yaml_1_2s_core_schema(text: str, value: object) -> None:
    found = yaml_text.load(f"[{text}]" if text else "[~]")[0]
    assert (found, type(found)) == (value, type(value))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_text_written_is_read_as_the_same_by_readers_of_both_versions(text: str) -> None:
    written = yaml_text.dump({"key": text})
    assert yaml_text.load(written) == {"key": text}
    assert yaml.safe_load(written) == {"key": text}


@pytest.mark.parametrize("text", ["0o17", "010", "1e3", "off", "on", "yes", "1:30", "<<", "=", "~"])
def test_text_that_looks_like_something_else_is_written_in_quotes(text: str) -> None:
    written = yaml_text.dump({"key": text})
    assert yaml_text.load(written) == yaml.safe_load(written) == {"key": text}
