"""The command line of ``python -m study.fit``: options over config files, a study from both."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_jsonable_python

from study.base.command import Parser
from study.base.errors import BadInput, named_folder
from study.base.files import results_folder_of
from study.base.names import refuse_untrusted
from study.runs import yaml_text
from study.runs.config import Layer, find, flat, read_layer, refuse_twice, study_of, study_yaml
from study.runs.declaring import expected, takes_text
from study.runs.shards import Shard, from_environment, parse
from study.runs.study import Study

EXAMPLES = """\
Train every run of a study and leave records that can be trusted.

  python -m study.fit --config random                         a study that is shipped
  python -m study.fit --config my.yaml --seeds 3 --plan       what it would train
  python -m study.fit --config my.yaml --optimizer.lr 1e-2    one setting changed
  python -m study.fit --config random --vary.model.hidden "[[64], [256]]"
  python -m study.fit --config my.yaml --print_config > whole.yaml

Options override config files, wherever they stand. --seeds+ 7 adds to a list; --vary.KEY sets what
varies, --vary replaces all of it, and a value for a varied key replaces its list. The optimizer is
study.Adam with the arguments below, or class_path and arguments of any torch optimizer.
"""


OWN = (
    ("config", "a config file", "Or a shipped one's name; of several a later one overrides."),
    ("shard", "k/n", "Train the k-th of n shares of the runs, and nothing else."),
    ("wait", "", "Wait for the runs that other tasks train, and train those that they leave."),
    ("trust", "", "Import what a config in a results folder names, as if you had written it."),
    ("plan", "", "Print what would be trained; stop."),
    ("print_config", "", "Print the whole config, to run again; stop."),
)

WANDB = {f"WANDB_{name}": name.lower() for name in ("MODE", "PROJECT", "ENTITY")}
WANDB["WANDB_RUN_GROUP"] = "group"
WANDB_MODES = {"disabled": "off", "dryrun": "offline", "run": "online"}  # what else they are called


class Request(NamedTuple):
    """What a user of ``python -m study.fit`` asked for; ``replaced`` says what varies no more."""

    study: Study
    out: Path
    plan: bool
    shard: Shard
    replaced: list[str]
    wait: bool = False


def read(argv: Sequence[str] | None = None) -> Request:
    """Parse a command line, its config files included.

    Raises
    ------
    BadInput
        Anything wrong, with its key, what was expected and the nearest right name.
    SystemExit
        After ``--help`` and ``--print_config``.
    """
    argv = sys.argv[1:] if argv is None else argv
    given = vars(parser(argv).parse_args(argv))
    own = {name: given.pop(name, None) for name, *_ in OWN}
    layers = [*of_wandb(), *map(read_layer, own["config"] or []), ("", _values(given))]
    study, replaced = study_of(layers)
    if own["print_config"]:
        sys.stdout.write(study_yaml(study, out=True))
        raise SystemExit(0)
    if not own["trust"]:
        _check_trusted(own["config"] or [], study, given)
    shard = parse(own["shard"][-1]) if own["shard"] else from_environment()
    out = named_folder(study.out or f"results/{study.name}", "out")
    wait, plan = bool(own["wait"]), bool(own["plan"])
    return Request(study, out, plan, shard, replaced, wait)


def _check_trusted(configs: Sequence[str], study: Study, given: Mapping[str, Any]) -> None:
    """Refuse what a config in a results folder, which anybody may have written, may not ask for."""
    for config in configs:
        if results_folder_of(find(config)):
            refuse_untrusted(study.untrusted(), config)
            if study.out is not None and "out" not in given:
                hint = f"give --out {study.out!r} yourself, or --trust"
                raise BadInput(config, "no out in a results folder", study.out, hint)


def of_wandb(environment: Mapping[str, str] = os.environ) -> list[Layer]:
    """Return what W&B's own variables say, a layer each; configs and options override them.

    Examples
    --------
    >>> of_wandb({"WANDB_PROJECT": "softmax", "WANDB_MODE": "disabled"})
    [('WANDB_MODE', {'wandb.mode': 'off'}), ('WANDB_PROJECT', {'wandb.project': 'softmax'})]
    """
    found = []
    for variable, key in WANDB.items():
        if value := environment.get(variable):
            named = WANDB_MODES.get(value, value) if key == "mode" else value
            found.append((variable, {f"wandb.{key}": named}))
    return found


def parser(argv: Sequence[str] = ()) -> Parser:
    """Return the parser of every setting, and of what ``argv`` varies, adds or gives optimizers."""
    made = Parser(
        prog="python -m study.fit",
        usage="python -m study.fit [--config FILE] [--KEY VALUE ...]",
        description=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    groups = {"": made.add_argument_group("study")}
    for name, wanted, text in OWN:
        how: Any = {"metavar": wanted, "action": "append"} if wanted else {"action": "store_true"}
        groups[""].add_argument(f"--{name}", help=text, **how)
    settings = Study.declared()
    for name, field in settings.items():
        subject = name.rpartition(".")[0]
        if subject not in groups:
            groups[subject] = made.add_argument_group(subject)
        default = json.dumps(to_jsonable_python(field.default)).strip('"')
        text = f"{field.description} (default: {default})".replace("%", "%%")
        groups[subject].add_argument(f"--{name}", metavar=expected(field), help=text)
    for name in {word.partition("=")[0].removeprefix("--") for word in argv} - settings.keys():
        if name.rstrip("+") in settings or f"{name}.".startswith(("vary.", "optimizer.")):
            action = "append" if name.endswith("+") else "store"
            made.add_argument(f"--{name}", action=action, help=argparse.SUPPRESS)
    return made


def _values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what options say by dotted key: text where text is wanted, and otherwise YAML."""
    values: dict[str, Any] = {}
    for option, given in options.items():
        name, plus = option.rstrip("+"), "+" if option.endswith("+") else ""
        field = Study.declared().get(name)
        if field is not None and takes_text(field):
            value = None if given == "null" and field.default is None else given
        elif plus:
            read = [yaml_text.load(text, name) for text in given]
            value = [each for item in read for each in (item if isinstance(item, list) else [item])]
        else:
            value = yaml_text.load(given, name)
        values |= {f"{key}{plus}": each for key, each in flat({name: value}).items()}
    refuse_twice(values)
    return values
