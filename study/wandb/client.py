"""W&B's client as this package uses it: it prints nothing, waits for little, shows no key."""

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
    """Return a text without anything that could be a key of W&B."""
    key = os.environ.get("WANDB_API_KEY")
    text = text.replace(key, "…") if key else text
    return re.sub(r"[\w-]{40,}", "…", text)


@contextlib.contextmanager
def own_folder() -> Iterator[None]:
    """Keep what the client leaves of runs that are only looked at, in a folder that goes."""
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
    """Return settings of a client that prints, probes and waits for as little as can be."""
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
