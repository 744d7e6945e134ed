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
from study.settings import (
    AdamSettings,
    Data,
    Model,
    Optimizer,
    Stop,
    Trainer,
    all_at_once,
    make_settings,
)
from study.study import Study

SUBJECTS: dict[str, type] = {"data": Data, "model": Model, "stop": Stop, "trainer": Trainer}
OPTIMIZER_HELP = (
    "study.Adam's arguments ("
    + ", ".join(f"{field.name}: {field.default}" for field in dataclasses.fields(AdamSettings))
    + "), or class_path and init_args of any torch optimizer"
)
# YAML 1.1 wants a dot and a sign in the exponent; everybody else takes 1e-3 for a number.
EXPONENT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$")


class Request(NamedTuple):
    """What a user of ``python -m study.fit`` asked for."""

    study: Study
    out: Path
    plan: bool


class Layer(NamedTuple):
    """One config file: where it is, and its tree with optimizer and vary one level deep."""

    path: str
    tree: dict[str, Any]


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
        "--print_config", action="store_true", help="Print the whole config, to run again; stop."
    )
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
    help_vary = f"{docs['vary']} A later vary replaces an earlier one; --vary.KEY sets one list."
    result.add_argument("--vary", type=dict[str, Any], default={}, help=help_vary)
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
    layers = [_layer(path) for path in _config_paths(argv)]
    try:
        values = _parse(argv, layers)
        study = study_of(values)
    except BadInput as fault:
        raise _in_its_file(fault, layers, argv) from None
    if values["print_config"]:
        sys.stdout.write(study_yaml(study))
        if study.out is not None:
            sys.stdout.write(_dump({"out": study.out}))
        raise SystemExit(0)
    out = Path(study.out or f"results/{study.name}").expanduser()
    return Request(study, out, bool(values["plan"]))


def _parse(argv: Sequence[str], layers: Sequence[Layer]) -> dict[str, Any]:
    """Parse the command line on top of config files."""
    below = Namespace()  # type: ignore[no-untyped-call]
    optimizer: dict[str, Any] = {}
    for _, tree in layers:
        for key, value in tree.items():
            if key == "optimizer":
                optimizer = _override(optimizer, value)
            elif key in SUBJECTS:
                for name, setting in value.items():
                    below[f"{key}.{name}"] = setting
            else:
                below[key] = value
    arguments = parser()
    try:
        values = arguments.parse_args(argv, namespace=below).as_dict()
    except ArgumentError as error:
        raise _fault(str(error), arguments) from None
    values["vary"] = _one_level(values["vary"] or {})
    values["optimizer"] = _override(optimizer, _optimizer(values["optimizer"] or {}))
    return values


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
    return _dump(tree)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


class _Loader(yaml.SafeLoader):
    """Reads YAML, but 1e-3 is a number, a date is text, and no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                problem = f"the key '{key.value}' stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads: text like 1e-3 in quotes."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+.0123456789"))


def _dump(tree: Mapping[str, Any]) -> str:
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False)


def _config_paths(argv: Sequence[str]) -> list[str]:
    pairs = itertools.pairwise([*argv, ""])
    return [
        after if arg == "--config" else arg.partition("=")[2]
        for arg, after in pairs
        if arg == "--config" or arg.startswith("--config=")
    ]


def _layer(name: str) -> Layer:
    """Read a config file and check its keys."""
    path = Path(name)
    if not path.is_file():
        siblings = [str(p) for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise BadInput(
            "--config", "a config file", name, nearest(path, siblings) or "check the path"
        )
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}, line {mark.line + 1}" if mark else name
        problem = getattr(error, "problem", None) or str(error)
        hint = "; indent with spaces" if "'\\t'" in problem else ""
        raise BadInput(place, "YAML", hint=problem + hint) from None
    except (UnicodeDecodeError, OSError) as error:
        raise BadInput(name, "a text file in UTF-8", hint=str(error)) from None
    if tree is None:
        raise BadInput(name, "a mapping of keys to values", hint="the file is empty")
    if not isinstance(tree, Mapping):
        raise BadInput(name, "a mapping of keys to values", tree)
    try:
        return Layer(name, _checked(tree))
    except BadInput as fault:
        raise fault.in_file(name) from None


def _checked(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a config file's tree, its keys known and its mappings where they belong."""
    mappings = ["optimizer", "vary", *SUBJECTS]
    known = [
        field.name for field in dataclasses.fields(Study) if field.name not in ("base", "vary")
    ]
    known += ["evaluate_every", *mappings]
    result = {}
    for key, value in tree.items():
        subject, dot, name = str(key).partition(".")
        if dot and subject in mappings:
            hint = f"write {name} below {subject}:"
            raise BadInput(str(key), "keys without dots outside vary", hint=hint)
        if key not in known:
            raise unknown_key(str(key), known)
        if key in mappings and not isinstance(value, Mapping):
            raise BadInput(key, "a mapping of keys to values", value)
        if key in SUBJECTS:
            names = [f"{key}.{field.name}" for field in dataclasses.fields(SUBJECTS[key])]
            for name in value:
                if f"{key}.{name}" not in names:
                    raise unknown_key(f"{key}.{name}", names)
        if key == "optimizer":
            value = _optimizer(value)
        result[key] = _one_level(value) if key == "vary" else value
    return result


def _optimizer(value: Mapping[Any, Any]) -> dict[str, Any]:
    try:
        return all_at_once(value)
    except BadInput as fault:
        raise fault.under("optimizer") from None


def _one_level(vary: Mapping[Any, Any], above: str = "") -> dict[str, Any]:
    """Return varied values under their dotted keys, from whichever nesting."""
    result: dict[str, Any] = {}
    for key, value in vary.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            result |= _one_level(value, f"{name}.")
        else:
            result[name.replace("optimizer.init_args.", "optimizer.")] = value
    return result


def _in_its_file(fault: BadInput, layers: Sequence[Layer], argv: Sequence[str]) -> BadInput:
    """Return a fault with the config file that its key stands in, unless an option gave it."""
    options = [arg[2:].partition("=")[0].rstrip("+") for arg in argv if arg.startswith("--")]
    if any(f"{fault.key}.".startswith(f"{option}.") for option in options):
        return fault
    for path, tree in reversed(layers):
        if _has(tree, fault.key):
            return fault.in_file(path)
    return fault


def _has(tree: Any, key: str) -> bool:
    head, _, rest = key.partition(".")
    return isinstance(tree, Mapping) and (key in tree or _has(tree.get(head), rest))


def _fault(message: str, arguments: ArgumentParser) -> BadInput:
    """Turn the parser's message, several lines long, into one line with its key."""
    known = [action.dest for action in arguments._actions if action.dest != "help"]
    unrecognized = re.search(
        r"[Uu]nrecognized arguments: (\S+)|does not accept option '([^']+)'", message
    )
    if unrecognized:
        key = (unrecognized[1] or unrecognized[2]).partition("=")[0]
        own = [f"--{name}" for name in known if f"--{name}".startswith(f"{key}.")]
        hint = f"e.g. {own[0]}" if own else nearest(key, [f"--{name}" for name in known])
        if key.endswith((".yaml", ".yml")):
            hint = f"did you mean '--config {key}'?"
        return BadInput(key, "an option of study.fit", hint=hint or "see --help")
    named = re.search(r'Parser key "([^"]+)"|argument --?([\w.]+)', message)
    if named is None:
        return BadInput("command line", "options of study.fit", message, "see --help")
    key = named[1] or named[2]
    expected, names = _expected(key)
    found = re.search(r"(?:Got|Given) value: (.*)", message)
    if found is None:
        missing = "no value was given" if "expected" in message else ""
        return BadInput(key, expected, hint=missing)
    value = _as_yaml(found[1])
    hint = nearest(value, names)
    if key in ("name", "out", "data.root") and not isinstance(value, (str, list, dict)):
        hint = "put it in quotes"
    return BadInput(key, expected, value, hint)


def _as_yaml(text: str) -> Any:
    """Return what the parser shows as text as what it was in the config."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError:
        return text


def _expected(key: str) -> tuple[str, list[str]]:
    """Return the declaration of a key in words, and the names it chooses from."""
    subject, _, name = key.partition(".")
    if subject == "optimizer":
        return "a mapping: study.Adam's arguments, or class_path and init_args", []
    owner = SUBJECTS[subject] if name else Run if key == "evaluate_every" else Study
    declared = {field.name: field.metadata for field in dataclasses.fields(owner)}
    options = {"config": "a config file", "plan": "no value", "print_config": "no value"}
    text = options.get(key) or str(declared[name or key]["expected"])
    names = text.removeprefix("one of ").split(", ") if text.startswith("one of ") else []
    return text, names
