"""``python -m reports.plan``: how many seeds each family of claims needs, before anything trains.

A family of m two-sided claims needs n seeds with 2m / 2^n of at most .05: with fewer no effect
could be significant, however large. For a stated effect its power is simulated.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from reports.claims import SHIPPED, Claim, load_claims
from reports.scope import config_of, study_of_claim
from reports.statistics import POWER, power, seeds_for, seeds_needed
from study.base.command import DONE, Parser, run_command
from study.base.errors import BadInput
from study.runs.config import find

COLUMNS = "{:<25} {:>6} {:>5}  {:<14} {:>5}"  # and for a stated effect:
MORE_COLUMNS = " {:>6} {:>9}"
LONGEST_FAMILY, LONGEST_CONFIG = 25, 14
FEW = "!"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the plan is printed, 2 on bad input."""
    return run_command(_plan, argv, "reports.plan")


def _plan(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m reports.plan",
        description="Print how many seeds each family of claims needs, and how many configs have.",
    )
    parser.add_argument("--claims", action="append", type=Path, metavar="FILE", default=[])
    parser.add_argument("--config", metavar="CONFIG", help="only families with claims on it")
    what = "to state with --deviation: the mean effect less its margin"
    parser.add_argument("--effect", type=float, help=what)
    what = "the standard deviation of effects over seeds"
    parser.add_argument("--deviation", type=float, help=what)
    arguments = parser.parse_args(argv)
    stated = (arguments.effect, arguments.deviation)
    _check(*stated)
    only = None if arguments.config is None else find(arguments.config).resolve()
    claims = load_claims([SHIPPED, *arguments.claims])
    print("\n".join(table(claims, only, None if None in stated else stated)))
    return DONE


def _check(effect: float | None, deviation: float | None) -> None:
    if (effect is None) != (deviation is None):
        missing = "--effect" if effect is None else "--deviation"
        raise BadInput(missing, "a number: power follows from both", "none")
    if effect is not None and not math.isfinite(effect):
        raise BadInput("--effect", "a finite number", effect)
    if deviation is not None and not 0 < deviation < math.inf:
        raise BadInput("--deviation", "a number above 0", deviation)


def table(
    claims: Iterable[Claim], only: Path | None, stated: tuple[float, float] | None
) -> list[str]:
    """Return the plan, a line each: a row for each family and each config that it names.

    Parameters
    ----------
    only
        The config whose families are wanted.
    stated
        Effect and its standard deviation over seeds, whose power is wanted.
    """
    families: dict[str, list[Claim]] = {}
    for claim in claims:
        families.setdefault(claim.family, []).append(claim)
    head = COLUMNS.format("family", "claims", "needs", "config", "seeds")
    lines = [head + (MORE_COLUMNS.format("power", f"for {POWER:.0%}") if stated else "")]
    for family, its in families.items():
        configs = {_path_of(claim): claim for claim in its}
        if only is None or only in configs:
            lines += _rows(family, len(its), configs, stated)
    if stated is not None:
        lines += ["", f"power: with those seeds; for {POWER:.0%}: the seeds that have it."]
    if any(FEW in line for line in lines):
        lines += ["", f"{FEW} fewer than needed: no claim of its family can be decided."]
    return lines


def _rows(
    family: str,
    claims: int,
    configs: Mapping[Path | None, Claim],
    stated: tuple[float, float] | None,
) -> Iterator[str]:
    needed = seeds_needed(claims)
    reached = None if stated is None else seeds_for(*stated, margins=(0.0,), claims=claims)
    for path in sorted(configs, key=str):
        has = study_of_claim(configs[path]).seeds
        seeds = needed if path is None else has if isinstance(has, int) else len(has)
        name = "" if path is None else path.stem[:LONGEST_CONFIG]
        number = "" if path is None else f"{seeds}{FEW if seeds < needed else ''}"
        line = COLUMNS.format(family[:LONGEST_FAMILY], claims, needed, name, number)
        if stated is not None:
            line += MORE_COLUMNS.format(f"{power(*stated, seeds, claims):.0%}", reached or "> 1000")
        yield line.rstrip()


def _path_of(claim: Claim) -> Path | None:
    try:
        path = config_of(claim)
    except BadInput as fault:
        raise fault.under(f"claim {claim.id}") from None
    return None if path is None else path.resolve()


if __name__ == "__main__":
    sys.exit(main())
