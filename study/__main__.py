"""``study``, ``python -m study``: runs a command by its name, or lists all commands."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from study.base.errors import nearest

COMMANDS = {
    "fit": ("study.fit", "train every run of a study and record it"),
    "status": ("study.status", "say which runs are done, and what each task does"),
    "report": ("reports.__main__", "turn records into figures, tables, verdicts and a page"),
    "verify": ("study.verify", "check records by their hashes; retrain runs and compare every bit"),
    "diff": ("study.diff", "print how two runs, or the runs of two folders, differ"),
    "merge": ("study.merge", "join folders that machines without a common disk trained"),
    "remove": ("study.remove", "take runs out of a study's records"),
    "archive": ("study.archive", "pack a study's records for a deposit, always in the same bytes"),
    "submit": ("study.submit", "submit a study to Slurm, and its report to run after it"),
    "wandb": ("study.wandb.__main__", "send a study to Weights & Biases, or read it back"),
}


def overview() -> str:
    """Return the commands, one line each."""
    lines = [f"  {name:<8}{what}" for name, (_, what) in COMMANDS.items()]
    examples = ["  study fit --config random", "  study report results/random"]
    head, foot = ["usage: study COMMAND ...", ""], ["", "study COMMAND --help says more"]
    return "\n".join([*head, *lines, "", "examples:", *examples, *foot])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names and return its exit status."""
    name, *rest = [*(sys.argv[1:] if argv is None else argv), ""]
    if name in ("", "-h", "--help"):
        print(overview())
        return 0
    if name not in COMMANDS:
        hint = nearest(name, COMMANDS) or "see study --help"
        print(
            f"study: expected one of {', '.join(COMMANDS)}, found {name!r}; {hint}", file=sys.stderr
        )
        return 2
    module = importlib.import_module(COMMANDS[name][0])
    return int(module.main(rest[:-1]))


if __name__ == "__main__":
    sys.exit(main())
