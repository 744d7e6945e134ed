"""Names arms in words, for tables, W&B and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study.base.text import plain
from study.runs.run import Run
from study.runs.study import Study


def arm_parts(facts: Mapping[str, Any]) -> list[str]:
    """Return an arm's varied facts, each in words; ``all runs`` where nothing varies."""
    parts = [plain(f"{k.rpartition('.')[2]} {in_words(each)}") for k, each in facts.items()]
    return parts or ["all runs"]


def arm_label(facts: Mapping[str, Any]) -> str:
    """Return an arm in words: ``label_noise 0.5, backward identity``.

    Examples
    --------
    >>> arm_label({"data.label_noise": 1, "model.hidden": [256]})
    'label_noise 1, hidden [256]'
    """
    return ", ".join(arm_parts(facts))


def in_words(value: Any) -> str:
    """Return a fact's value in words; a schedule as it would be called, and how often it steps.

    Examples
    --------
    >>> path = "torch.optim.lr_scheduler.ExponentialLR"
    >>> in_words({"class_path": path, "init_args": {"gamma": 0.95}, "interval": "step"})
    'ExponentialLR(gamma=0.95) each step'
    """
    if isinstance(value, Mapping) and {"class_path", "init_args", "interval"} <= value.keys():
        name = value["class_path"].removeprefix("torch.optim.lr_scheduler.")
        arguments = ", ".join(f"{key}={in_words(each)}" for key, each in value["init_args"].items())
        return f"{name}({arguments}) each {value['interval']}"
    return f"{value:.12g}" if isinstance(value, float) else "null" if value is None else str(value)


def by_arm(study: Study, runs: Iterable[Run]) -> dict[tuple[str, ...], list[Run]]:
    """Group runs by arm, in the order of the arms' first runs; the keys are `arm_parts`."""
    # The study repeats its arms in one order for each seed, so only the first runs need words.
    number = len(study.arms)
    words = [tuple(arm_parts(study.arm(run))) for run in study.runs[:number]]
    names = {run.id: words[index % number] for index, run in enumerate(study.runs)}
    arms: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        arms.setdefault(names[run.id], []).append(run)
    return arms


INDENT = "  "  # of a label's further lines


def packed(
    parts: Sequence[str], width: int, separator: str = ", ", indent: str = INDENT
) -> list[str]:
    """Fill lines of at most ``width`` with parts; a part that is longer has its own line.

    Examples
    --------
    >>> packed(["loss cross_entropy", "backward jacobian", "lr 1"], 30)
    ['loss cross_entropy,', '  backward jacobian, lr 1']
    """
    lines: list[str] = []
    for number, part in enumerate(parts, start=1):
        longer = f"{lines[-1]}{separator}{part}" if lines else part
        # A line that is not the last ends in the separator without its space.
        more = len(separator.rstrip()) if number < len(parts) else 0
        if not lines or len(longer) + more <= width:
            lines[-1:] = [longer]
        else:
            lines[-1] += separator.rstrip()
            lines.append(f"{indent}{part}")
    return lines
