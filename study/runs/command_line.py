"""The command line of ``python -m study.fit``: options over config files, a study from both."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from yaml import YAMLError

from study.base.errors import BadInput, named_folder, nearest
from study.runs import yaml_text
from study.runs.config import (
    Layer,
    flat,
    in_its_file,
    keys,
    merged,
    read_layer,
    refuse_twice,
    study_of,
    study_yaml,
)
from study.runs.declaring import expected, plain, takes_text
from study.runs.shards import Shard, from_environment, parse
from study.runs.study import Study

FLAGS = {
    "help": "Print this; stop.",
    "plan": "Print what would be trained; stop.",
    "print_config": "Print the whole config, to run again; stop.",
    "wait": "Wait for the runs that other tasks train, and train those that they leave.",
}
OWN = {
    "config": "A config file, or a shipped one's name; of several a later one overrides.",
    "shard": "Train the k-th of n shares of the runs and nothing else: k/n.",
}
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
    words = _words(sys.argv[1:] if argv is None else argv)
    asked = {name for name, _ in words if name in FLAGS}
    if "help" in asked:
        sys.stdout.write(help_text())
        raise SystemExit(0)
    layers = [read_layer(text) for name, text in words if name == "config"]
    layers.append(_options([pair for pair in words if pair[0] not in FLAGS | OWN]))
    values, replaced = merged(layers)
    try:
        study = study_of(values)
    except BadInput as fault:
        raise in_its_file(fault, layers) from None
    if "print_config" in asked:
        sys.stdout.write(study_yaml(study))
        sys.stdout.write(yaml_text.dump({"out": study.out}) if study.out is not None else "")
        raise SystemExit(0)
    shards = [parse(text) for name, text in words if name == "shard"] or [from_environment()]
    out = named_folder(study.out or f"results/{study.name}", "out")
    return Request(study, out, "plan" in asked, shards[-1], replaced, "wait" in asked)


def _words(argv: Sequence[str]) -> list[tuple[str, str]]:
    """Return options and their texts; those of flags are empty."""
    found, words = [], iter(argv)
    for word in words:
        option, equals, text = ("--help" if word == "-h" else word).partition("=")
        name = option.removeprefix("--")
        if name not in FLAGS and (name == option or not _is_key(name.rstrip("+"))):
            raise _unknown(option)
        if name in FLAGS and equals:
            raise BadInput(name, "no value", text)
        if name not in FLAGS and not equals:
            text = next(words, "--")
            if text.startswith("--"):
                field = keys().get(name.rstrip("+"))
                wanted = {"config": "a config file", "shard": "k/n, e.g. 1/4"}.get(name, "a value")
                wanted = expected(field) if field else wanted
                raise BadInput(name, wanted, hint="no value was given")
        found.append((name, text))
    return found


def _is_key(name: str) -> bool:
    known = name in OWN or name in keys() or name == "optimizer"
    return known or name.startswith(("vary.", "optimizer."))


def _unknown(option: str) -> BadInput:
    known = [f"--{name}" for name in (*FLAGS, *OWN, *keys())]
    own = [name for name in known if name.startswith(f"{option}.")]
    hint = f"e.g. {own[0]}" if own else nearest(option, known)
    if option.endswith((".yaml", ".yml")):
        hint = f"did you mean '--config {option}'?"
    return BadInput(option, "an option of study.fit", hint=hint or "see --help")


def _options(words: Sequence[tuple[str, str]]) -> Layer:
    """Return what options say as a layer; of one given twice the last counts."""
    values: dict[str, Any] = {}
    for option, text in words:
        name, plus = option.rstrip("+"), "+" if option.endswith("+") else ""
        value = _value(name, text)
        subject, dot, rest = name.partition(".")
        below = flat({subject: {rest: value} if dot else value})
        if name == "vary":
            values = {key: each for key, each in values.items() if not key.startswith("vary.")}
        for key, each in below.items():
            more = each if isinstance(each, list) else [each]
            values[f"{key}{plus}"] = [*values.get(f"{key}+", []), *more] if plus else each
    refuse_twice(values)
    return Layer("", values, any(name == "vary" for name, _ in words))


def _value(name: str, text: str) -> Any:
    """Return an option's value: text as it stands where text is wanted, and otherwise YAML."""
    field = keys().get(name)
    if field is not None and takes_text(field):
        return None if text == "null" and field.default is None else text
    try:
        return yaml_text.load(text)
    except YAMLError as error:
        if field is not None:
            return text  # which is then said to be no right value
        problem = getattr(error, "problem", None) or str(error)
        raise BadInput(name, "a value in YAML", text, problem) from None


def help_text() -> str:
    """Return the help: examples, and the settings by subject, each with its default."""
    parser = argparse.ArgumentParser(
        prog="python -m study.fit",
        usage="python -m study.fit [--config FILE] [--KEY VALUE ...]",
        description=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    study = parser.add_argument_group("study")
    for name, text in (FLAGS | OWN).items():
        study.add_argument(f"--{name}", help=text, metavar="" if name in FLAGS else name.upper())
    groups = {"": study}
    for subject in ("data", "model", "optimizer", "stop", "trainer", "wandb"):
        groups[subject] = parser.add_argument_group(subject)
    for key, field in keys().items():
        subject, dot, _ = key.partition(".")
        value = json.dumps(plain(field.default)).strip('"')
        text = f"{field.description} Expects {expected(field)} (default: {value})"
        group = groups[subject if dot else ""]
        group.add_argument(f"--{key}", help=text.replace("%", "%%"), metavar="")
    return parser.format_help()
