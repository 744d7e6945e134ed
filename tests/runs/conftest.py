"""Writing configs, for several tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes configs and gives the options that read them."""

    def write(*contents: str) -> list[str]:
        options = []
        for content in contents:
            path = tmp_path / f"{len(list(tmp_path.iterdir()))} é.yaml"
            path.write_text(content, encoding="utf-8")
            options += ["--config", str(path)]
        return options

    return write
