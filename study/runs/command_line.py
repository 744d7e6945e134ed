"""From command line and config files to a `Study`: layered, typed, one line for each mistake."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jsonargparse import ArgumentError, ArgumentParser, Namespace
from yaml import YAMLError

from study.base.errors import BadInput
from study.runs.config_faults import parser_fault
from study.runs.config_files import (
    SECTIONS,
    SUBJECTS,
    Layer,
    dump_yaml,
    in_its_file,
    load_yaml,
    one_level,
    optimizer_at_once,
    read_layer,
)
from study.runs.optimizer import AdamSettings, Optimizer
from study.runs.run import Run
from study.runs.settings import Wandb, make_settings
from study.runs.shards import Shard, from_environment, parse
from study.runs.study import Study

OPTIMIZER_HELP = (
    "study.Adam's arguments ("
    + ", ".join(f"{field.name}: {field.default}" for field in dataclasses.fields(AdamSettings))
    + "), or class_path and init_args of any torch optimizer"
)


class Request(NamedTuple):
    """What a user of ``python -m study.fit`` asked for."""

    study: Study
    out: Path
    plan: bool
    shard: Shard


def parser() -> ArgumentParser:
    """Return the parser of ``python -m study.fit``."""
    result = ArgumentParser(
        prog="python -m study.fit",
        description="Train every run of a study and leave records that can be trusted. Options "
        "override config files, wherever they stand.",
        exit_on_error=False,
        allow_abbrev=False,
        print_config=None,  # jsonargparse's own would print --plan, too, and not check values
    )
    result.add_argument(
        "--config", action="append", help="Config file; of several, a later one overrides."
    )
    result.add_argument("--plan", action="store_true", help="Print what would be trained; stop.")
    result.add_argument(
        "--shard",
        type=str,
        help="Train the k-th of n shares of the runs: k/n (default: Slurm's numbers, or all).",
    )
    result.add_argument(
        "--print_config", action="store_true", help="Print the whole config, to run again; stop."
    )
    docs = _attribute_docs(Study)
    for field in dataclasses.fields(Study):
        if field.name in ("base", "vary", "wandb"):
            continue
        result.add_argument(
            f"--{field.name}",
            type=_type_of(Study, field.name),
            default=field.default,
            help=docs[field.name],
        )
    help_vary = f"{docs['vary']} A later vary replaces an earlier one; --vary.KEY sets one list."
    result.add_argument("--vary", type=dict[str, Any], default={}, help=help_vary)
    result.add_argument(
        "--evaluate_every", type=int, default=Run().evaluate_every, help=docs["evaluate_every"]
    )
    for subject, settings in SECTIONS.items():
        docs = _attribute_docs(settings)
        for field in dataclasses.fields(settings):
            default = getattr(settings(), field.name)
            result.add_argument(
                f"--{subject}.{field.name}",
                type=_type_of(settings, field.name),
                default=list(default) if isinstance(default, tuple) else default,
                help=docs[field.name],
            )
    result.add_argument("--optimizer", type=dict[str, Any], default={}, help=OPTIMIZER_HELP)
    return result


def _type_of(owner: type, name: str) -> Any:
    """Return the type to parse a field as: lists for tuples, names checked by the field itself."""
    annotation = inspect.get_annotations(owner, eval_str=True)[name]
    return {tuple[int, ...]: list[int]}.get(annotation, annotation)


def _attribute_docs(owner: type) -> dict[str, str]:
    from docstring_parser import parse

    return {
        name.strip(): " ".join((param.description or "").split())
        for param in parse(inspect.getdoc(owner) or "").params
        for name in param.arg_name.split(",")
    }


def read(argv: Sequence[str] | None = None) -> Request:
    """Parse a command line, its config files included.

    Raises
    ------
    BadInput
        Anything wrong, with its key, what was expected and the nearest right name.
    SystemExit
        After ``--help`` and ``--print_config``.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    layers = [read_layer(path) for path in _config_paths(argv)]
    try:
        values = _parse(argv, layers)
        study = study_of(values)
    except BadInput as fault:
        raise in_its_file(fault, layers, argv) from None
    if values["print_config"]:
        sys.stdout.write(study_yaml(study))
        if study.out is not None:
            sys.stdout.write(dump_yaml({"out": study.out}))
        raise SystemExit(0)
    out = Path(study.out or f"results/{study.name}").expanduser()
    shard = from_environment() if values["shard"] is None else parse(values["shard"])
    return Request(study, out, bool(values["plan"]), shard)


def _parse(argv: Sequence[str], layers: Sequence[Layer]) -> dict[str, Any]:
    """Parse the command line on top of config files."""
    below = Namespace()  # type: ignore[no-untyped-call]  # jsonargparse leaves it untyped
    optimizer: dict[str, Any] = {}
    for _, tree in layers:
        for key, value in tree.items():
            if key == "optimizer":
                optimizer = _override(optimizer, value)
            elif key in SECTIONS:
                for name, setting in value.items():
                    below[f"{key}.{name}"] = setting
            else:
                below[key] = value
    arguments = parser()
    argv, lists = _without_lists(argv)
    try:
        values = arguments.parse_args(argv, namespace=below).as_dict()
    except ArgumentError as error:
        raise parser_fault(str(error), arguments) from None
    values["vary"] = one_level(values["vary"] or {}) | one_level(lists)
    values["optimizer"] = _override(optimizer, optimizer_at_once(values["optimizer"] or {}))
    return values


def _without_lists(argv: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Return a command line without its ``--vary.KEY`` options, and their values.

    Of several below one subject the parser would keep only the last.
    """
    rest, lists = [], {}
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if not option.startswith("--vary."):
            rest.append(word)
        elif equals or (value := next(words, "")):
            key = option.removeprefix("--vary.")
            try:
                lists[key] = load_yaml(value)
            except YAMLError:
                raise BadInput(f"vary.{key}", "a list of values, e.g. [0, 1]", value) from None
        else:
            rest.append(word)
    return rest, lists


def _override(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay an optimizer's settings over others; those of another class are left behind."""
    ours, theirs = (each.get("class_path", "study.Adam") for each in (above, below))
    keep = "class_path" not in above or ours == theirs
    return {**below, **above} if keep else above


def study_of(tree: Mapping[str, Any]) -> Study:
    """Build the study that parsed values describe."""
    parts = {
        subject: make_settings(subject, settings, tree.get(subject) or {})
        for subject, settings in SUBJECTS.items()
    }
    try:
        parts["optimizer"] = Optimizer.of(tree.get("optimizer") or {})
    except BadInput as fault:
        raise fault.under("optimizer") from None
    base = Run(evaluate_every=tree.get("evaluate_every", 1), **parts)
    wandb = make_settings("wandb", Wandb, tree.get("wandb") or {})
    fields = [field.name for field in dataclasses.fields(Study)]
    names = [name for name in fields if name not in ("base", "wandb")]
    return Study(base=base, wandb=wandb, **{name: tree[name] for name in names if name in tree})


def study_yaml(study: Study) -> str:
    """Return the config that makes this study again, every value written out."""
    tree: dict[str, Any] = {
        "name": study.name,
        "seeds": study.seeds,
        "vary": {key: list(values) for key, values in study.vary.items()},
    }
    for subject in SUBJECTS:
        tree[subject] = _plain(dataclasses.asdict(getattr(study.base, subject)))
    tree["optimizer"] = _plain(
        {
            "class_path": study.base.optimizer.class_path,
            "init_args": dict(study.base.optimizer.init_args),
        }
    )
    tree |= {
        "evaluate_every": study.base.evaluate_every,
        "stack": study.stack,
        "checkpoint_every": study.checkpoint_every,
        "keep_weights": study.keep_weights,
        "products": study.products,
        "wandb": _plain(dataclasses.asdict(study.wandb)),
    }
    return dump_yaml(tree)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _config_paths(argv: Sequence[str]) -> list[str]:
    pairs = itertools.pairwise([*argv, ""])
    return [
        after if arg == "--config" else arg.partition("=")[2]
        for arg, after in pairs
        if arg == "--config" or arg.startswith("--config=")
    ]
