"""Config files that are no YAML, or no config: one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_input import CONFIG, Case, checks_of

from study.fit import main

CASES = [
    # The file itself
    Case("empty file", "", CONFIG, "a mapping of keys to values, found null; the file is empty"),
    Case(
        "only a comment",
        "# seeds: 3",
        CONFIG,
        "a mapping of keys to values, found null; the file is empty",
    ),
    Case("a list", "- seeds", CONFIG, "a mapping of keys to values, found ['seeds']"),
    Case("text", "seeds", CONFIG, "a mapping of keys to values, found 'seeds'"),
    Case(
        "tab",
        "data:\n\tinputs: x",
        f"{CONFIG}, line 2",
        "YAML, found '\\tinputs: x'; found character '\\t'",
    ),
    Case(
        "open brace",
        "data: {inputs: x",
        f"{CONFIG}, line 1",
        "YAML, found 'data: {inputs: x'; expected ',' or '}'",
    ),
    Case("key twice", "seeds: 3\nname: a\nseeds: 4", f"{CONFIG}, line 3", "the key 'seeds' stands"),
    Case(
        "inner key twice", "data: {root: a, root: b}", f"{CONFIG}, line 1", "the key 'root' stands"
    ),
    Case("two documents", "seeds: 3\n---\nseeds: 4", f"{CONFIG}, line 2", "another document"),
    Case(
        "python object",
        "seeds: !!python/name:os.x",
        f"{CONFIG}, line 1",
        "the tag tag:yaml.org,2002:python/name:os.x is not taken",
    ),
    Case("not UTF-8", b"name: caf\xe9", CONFIG, "a text file in UTF-8; 'utf-8' codec can't"),
    Case("null byte", b"name: \x00", CONFIG, "YAML; unacceptable character"),
]


answered, test_rows_differ, test_bad_input_is_answered_with_one_line_and_leaves_nothing = checks_of(
    CASES
)


def test_a_fault_names_the_file_that_its_key_is_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"{name}.yaml" for name in ("first", "second", "third")]
    for path, content in zip(paths, ("data: {label_noise: 3}", "seeds: 0", "name: a"), strict=True):
        path.write_text(content)
    layered = [part for path in paths for part in ("--config", str(path))]
    assert main(layered) == 2
    assert capsys.readouterr().err.endswith(f"found 3; in {paths[0]}\n")
    assert main([*layered, "--data.label_noise", "1"]) == 2
    assert capsys.readouterr().err.endswith(f"found 0; in {paths[1]}\n")
    assert main([*layered, "--data.label_noise", "1", "--seeds", "-1"]) == 2
    assert capsys.readouterr().err.endswith("found -1\n")


def test_a_missing_config_gets_its_neighbours_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "random.yaml").touch()
    assert main(["--config", str(tmp_path / "randon.yaml")]) == 2
    assert f"did you mean '{tmp_path / 'random.yaml'}'?" in capsys.readouterr().err
