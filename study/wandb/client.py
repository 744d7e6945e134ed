"""Settings for W&B's client, so that it prints nothing, waits little and shows no API key."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wandb

INIT_SECONDS = 5.0


def without_keys(text: str) -> str:
    """Return a text with everything replaced that could be a W&B API key."""
    key = os.environ.get("WANDB_API_KEY")
    text = text.replace(key, "…") if key else text
    return re.sub(r"[\w-]{40,}", "…", text)


@contextlib.contextmanager
def own_folder() -> Iterator[None]:
    """Let the client write to a temporary folder while runs are only read."""
    before = os.environ.get("WANDB_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WANDB_DIR"] = folder
        try:
            yield
        finally:
            os.environ.pop("WANDB_DIR")
            if before is not None:
                os.environ["WANDB_DIR"] = before


def quiet_settings(finish_seconds: float) -> wandb.Settings:
    """Return client settings that print, probe and wait as little as possible."""
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,  # a study's environment has the versions that matter
        init_timeout=INIT_SECONDS,
        finish_timeout=finish_seconds,
        finish_timeout_raises=True,
    )
