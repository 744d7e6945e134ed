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
# Variables about a single run, which a sweep's agent or another logger may have set.
ABOUT_ONE_RUN = (
    *("MODE", "DISABLED", "SERVICE", "DIR", "CONSOLE", "RESUME", "PROJECT", "JOB_TYPE", "TAGS"),
    *("RUN_ID", "RUN_GROUP", "RUN_DIR", "NAME", "NOTES", "SWEEP_ID", "SWEEP_PARAM_PATH"),
)


def clean_environment() -> dict[str, str]:
    """Take what is about a single run out of the environment, for the client, and return it."""
    # Otherwise the client contacts a server for its error reports, even offline.
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    found = {name: os.environ.pop(f"WANDB_{name}", "") for name in ABOUT_ONE_RUN}
    return {name: value for name, value in found.items() if value}


def one_line(error: Exception) -> str:
    """Return a client's error on one line, without any key."""
    reason = " ".join(without_keys(str(error)).split())
    return f"{type(error).__name__}: {reason}"[:300]


def without_keys(text: str) -> str:
    """Return a text with everything replaced that could be a W&B API key."""
    key = os.environ.get("WANDB_API_KEY")
    text = text.replace(key, "…") if key else text
    return re.sub(r"[\w-]{40,}", "…", text)


@contextlib.contextmanager
def own_folder() -> Iterator[None]:
    """Let the client, whose environment is clean, write to a temporary folder while it reads."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WANDB_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["WANDB_DIR"]


def quiet_settings(finish_seconds: float, watched: int | None = None) -> wandb.Settings:
    """Return client settings that print, probe and wait as little as possible.

    The load of the process ``watched`` and of this machine is logged with the run, if there is one.
    """
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=watched is None,
        x_disable_meta=True,
        x_disable_machine_info=watched is None,
        x_save_requirements=False,  # a study's environment has the versions that matter
        init_timeout=INIT_SECONDS,
        finish_timeout=finish_seconds,
        finish_timeout_raises=True,
    )
    if watched is not None:
        settings.x_stats_pid, settings.x_stats_track_process_tree = watched, True
    return settings
