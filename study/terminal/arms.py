"""An arm in words, as tables, W&B and figures name it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study.runs.run import Run
from study.runs.study import Study


def arm_parts(facts: Mapping[str, Any]) -> list[str]:
    """Return the varied facts of an arm, each in words; where nothing varies it is all runs."""
    parts = [f"{key.rpartition('.')[2]} {_plain(value)}" for key, value in facts.items()]
    return parts or ["all runs"]


def arm_label(facts: Mapping[str, Any]) -> str:
    """Return an arm in words: ``label_noise 0.5, backward identity``.

    Examples
    --------
    >>> arm_label({"data.label_noise": 1, "model.hidden": [256]})
    'label_noise 1, hidden [256]'
    """
    return ", ".join(arm_parts(facts))


def _plain(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def by_arm(study: Study, runs: Iterable[Run]) -> dict[tuple[str, ...], list[Run]]:
    """Group runs by their arm, named by its parts, in the order in which each first appears."""
    arms: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        arms.setdefault(tuple(arm_parts(study.arm(run))), []).append(run)
    return arms


INDENT = "  "  # of what goes on on the next line


def packed(
    parts: Sequence[str], width: int, separator: str = ", ", indent: str = INDENT
) -> list[str]:
    """Return parts in lines of at most a width, broken between parts; one part may be longer.

    Examples
    --------
    >>> packed(["loss cross_entropy", "backward jacobian", "lr 1"], 30)
    ['loss cross_entropy,', '  backward jacobian, lr 1']
    """
    lines: list[str] = []
    for number, part in enumerate(parts, start=1):
        longer = f"{lines[-1]}{separator}{part}" if lines else part
        # What follows needs room for the separator, without the space that ends it.
        more = len(separator.rstrip()) if number < len(parts) else 0
        if not lines or len(longer) + more <= width:
            lines[-1:] = [longer]
        else:
            lines[-1] += separator.rstrip()
            lines.append(f"{indent}{part}")
    return lines
