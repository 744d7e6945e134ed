"""Config files: YAML read strictly, its keys checked, and faults that name their file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from study.base.errors import BadInput, nearest, unknown_key
from study.runs.optimizer import all_at_once
from study.runs.settings import Data, Model, Stop, Trainer, Wandb
from study.runs.study import Study

SUBJECTS: dict[str, type] = {"data": Data, "model": Model, "stop": Stop, "trainer": Trainer}
SECTIONS = {**SUBJECTS, "wandb": Wandb}  # what a config groups: a run's facts, and no fact
# YAML 1.1 wants a dot and a sign in the exponent; everybody else takes 1e-3 for a number.
EXPONENT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$")


class Layer(NamedTuple):
    """One config file: where it is, and its tree with optimizer and vary one level deep."""

    path: str
    tree: dict[str, Any]


class Loader(yaml.SafeLoader):
    """Reads YAML, but 1e-3 is a number, a date is text, and no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, or say which key of it stands twice."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                problem = f"the key '{key.value}' stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)


class Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads: text like 1e-3 in quotes."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _each in (Loader, Dumper):
    _each.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+.0123456789"))


def load_yaml(text: str) -> Any:
    """Return what a YAML text holds."""
    return yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)


def dump_yaml(tree: Mapping[str, Any]) -> str:
    """Return a tree as YAML that `load_yaml` reads as the same."""
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False)


def read_layer(name: str) -> Layer:
    """Read a config file and check its keys."""
    path = Path(name)
    if not path.is_file():
        siblings = [str(p) for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise BadInput(
            "--config", "a config file", name, nearest(path, siblings) or "check the path"
        )
    try:
        tree = load_yaml(path.read_text(encoding="utf-8"))
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
    mappings = ["optimizer", "vary", *SECTIONS]
    known = [
        field.name
        for field in dataclasses.fields(Study)
        if field.name not in ("base", "vary", "wandb")
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
        if key == "wandb" and value.get("mode") is False:
            value = {**value, "mode": "off"}  # which YAML takes for a truth value
        if key in SECTIONS:
            names = [f"{key}.{field.name}" for field in dataclasses.fields(SECTIONS[key])]
            for name in value:
                if f"{key}.{name}" not in names:
                    raise unknown_key(f"{key}.{name}", names)
        if key == "optimizer":
            value = optimizer_at_once(value)
        result[key] = one_level(value) if key == "vary" else value
    return result


def optimizer_at_once(value: Mapping[Any, Any]) -> dict[str, Any]:
    """Return an optimizer's settings on one level; faults name their dotted key."""
    try:
        return all_at_once(value)
    except BadInput as fault:
        raise fault.under("optimizer") from None


def one_level(vary: Mapping[Any, Any], above: str = "") -> dict[str, Any]:
    """Return varied values under their dotted keys, from whichever nesting."""
    result: dict[str, Any] = {}
    for key, value in vary.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            result |= one_level(value, f"{name}.")
        else:
            result[name.replace("optimizer.init_args.", "optimizer.")] = value
    return result


def in_its_file(fault: BadInput, layers: Sequence[Layer], argv: Sequence[str]) -> BadInput:
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
