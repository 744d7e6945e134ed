"""From command line and config files to a `Study`: layered, typed, one line for each mistake."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from study.checks import BadInput, nearest, unknown_key
from study.run import Run
from study.settings import AdamSettings, Data, Model, Optimizer, Stop, Trainer, make_settings
from study.study import Study

SUBJECTS: dict[str, type] = {"data": Data, "model": Model, "stop": Stop, "trainer": Trainer}
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


def parser() -> ArgumentParser:
    """Return the parser of ``python -m study.fit``."""
    result = ArgumentParser(
        prog="python -m study.fit",
        description="Train every run of a study and leave records that can be trusted.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    result.add_argument("--config", action="config", help="Config file; several are layered.")
    result.add_argument("--plan", action="store_true", help="Print what would be trained; stop.")
    docs = _attribute_docs(Study)
    for field in dataclasses.fields(Study):
        if field.name in ("base", "vary"):
            continue
        result.add_argument(
            f"--{field.name}",
            type=_type_of(Study, field.name),
            default=field.default,
            help=docs[field.name],
        )
    result.add_argument("--vary", type=dict[str, list[Any]], default={}, help=docs["vary"])
    result.add_argument(
        "--evaluate_every", type=int, default=Run().evaluate_every, help=docs["evaluate_every"]
    )
    for subject, settings in SUBJECTS.items():
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
    _check_files(argv)
    arguments = parser()
    try:
        values = arguments.parse_args(argv)
    except ArgumentError as error:
        raise _fault(str(error), arguments) from None
    study = study_of(values)
    out = Path(study.out or f"results/{study.name}").expanduser()
    return Request(study, out, bool(values.plan))


def study_of(values: Namespace | Mapping[str, Any]) -> Study:
    """Build the study that parsed values describe."""
    tree = dict(values.as_dict() if isinstance(values, Namespace) else values)
    parts = {
        subject: make_settings(subject, settings, tree.get(subject) or {})
        for subject, settings in SUBJECTS.items()
    }
    try:
        parts["optimizer"] = Optimizer.of(tree.get("optimizer") or {})
    except BadInput as fault:
        raise fault.under("optimizer") from None
    base = Run(evaluate_every=tree.get("evaluate_every", 1), **parts)
    names = [field.name for field in dataclasses.fields(Study) if field.name != "base"]
    return Study(base=base, **{name: tree[name] for name in names if name in tree})


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
    }
    return yaml.safe_dump(tree, sort_keys=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _check_files(argv: Sequence[str]) -> None:
    """Find faults of config files that the parser would report without their place."""
    for path in _config_paths(argv):
        if not path.is_file():
            siblings = [str(p) for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
            raise BadInput(
                "--config", "a config file", str(path), nearest(path, siblings) or "check the path"
            )
        try:
            tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{path}, line {mark.line + 1}" if mark else str(path)
            raise BadInput(place, "YAML", getattr(error, "problem", str(error))) from None
        except (UnicodeDecodeError, OSError) as error:
            raise BadInput(str(path), "a readable text file", str(error)) from None
        if not isinstance(tree, Mapping):
            raise BadInput(str(path), "a mapping of keys to values", tree)
        _check_keys(tree, str(path))


def _config_paths(argv: Sequence[str]) -> list[Path]:
    paths = [arg.partition("=")[2] for arg in argv if arg.startswith("--config=")]
    paths += [after for arg, after in itertools.pairwise(argv) if arg == "--config"]
    return [Path(path) for path in paths]


def _check_keys(tree: Mapping[Any, Any], place: str) -> None:
    top = [field.name for field in dataclasses.fields(Study) if field.name != "base"]
    top += ["evaluate_every", "optimizer", *SUBJECTS]
    for key, value in tree.items():
        if key not in top:
            raise unknown_key(str(key), top).in_file(place)
        if key not in SUBJECTS and key not in ("optimizer", "vary"):
            continue
        if not isinstance(value, Mapping):
            raise BadInput(key, "a mapping of keys to values", value).in_file(place)
        if key in SUBJECTS:
            names = [field.name for field in dataclasses.fields(SUBJECTS[key])]
            for name in value:
                if name not in names:
                    fault = unknown_key(f"{key}.{name}", [f"{key}.{known}" for known in names])
                    raise fault.in_file(place)


def _fault(message: str, arguments: ArgumentParser) -> BadInput:
    """Turn the parser's message, several lines long, into one line with its key."""
    known = [action.dest for action in arguments._actions if action.dest != "help"]
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    unrecognized = re.search(r"[Uu]nrecognized arguments: (\S+)", message)
    if unrecognized:
        key = unrecognized[1].partition("=")[0]
        hint = nearest(key, [f"--{name}" for name in known]) or "see --help"
        return BadInput(key, "an option of study.fit", hint=hint)
    refused = re.search(
        r"does not accept option '([^']+)'|[Kk]ey '([^']+)' is not expected", message
    )
    if refused:
        return unknown_key(refused[1] or refused[2], known)
    named = re.search(r'Parser key "([^"]+)"|argument --?([\w.]+)', message)
    if named:
        key = (named[1] or named[2]).strip()
        found = re.search(r"(?:Got|Given) value: (.*)", message)
        expected, names = _expected(key)
        value: object = found[1] if found else ...
        return BadInput(key, expected, value, nearest(value, names) if found else "")
    return BadInput("command line", "options of study.fit", " ".join(lines), "see --help")


def _expected(key: str) -> tuple[str, list[str]]:
    """Return the declaration of a key in words, and the names it chooses from."""
    subject, _, name = key.partition(".")
    owner: type = SUBJECTS.get(subject, Study) if name else Study
    declared = {field.name: field.metadata for field in dataclasses.fields(owner)}
    if key == "evaluate_every":
        declared = {field.name: field.metadata for field in dataclasses.fields(Run)}
    text = str(declared[name or subject]["expected"]) if (name or subject) in declared else ""
    if key.startswith("optimizer"):
        text = "a mapping: study.Adam's arguments, or class_path and init_args"
    names = text.removeprefix("one of ").split(", ") if text.startswith("one of ") else []
    return text or "another value", names
