"""The overview of the commands, and each command by its name."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from study.__main__ import COMMANDS, main


@pytest.mark.parametrize("argv", [[], ["--help"]])
def test_the_overview_names_every_command(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name}" in shown for name in COMMANDS)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_gives_its_own_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    assert "usage" in capsys.readouterr().out.lower()
    assert callable(importlib.import_module(COMMANDS[name][0]).main)


def test_an_unknown_command_is_one_line_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["stats"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "did you mean 'status'?" in line


def test_the_overview_imports_nothing_heavy() -> None:
    code = "import sys, study.__main__ as m; m.main([]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
