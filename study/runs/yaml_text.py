"""YAML 1.2 read strictly and within bounds, and written so that readers of 1.1 see the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

MOST_CHARACTERS, MOST_NODES, DEEPEST, MOST_DIGITS = 2**22, 200_000, 40, 40
# The core schema of YAML 1.2: no times like 1:30, no octal 010, no truth value off.
CORE = {
    "null": r"null|Null|NULL|~|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)"
    r"|\.(nan|NaN|NAN)",
    "merge": "<<",
}


class _Loader(yaml.SafeLoader):
    """Reads the core schema, merges and anchors; no key stands twice, and nothing grows."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (the parent's attribute)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = self.weight = 0
        self.weights: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Count nodes, each alias as all that it stands for."""
        before, alias = self.weight, self.check_event(yaml.AliasEvent)
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self.depth += 1
        if self.depth > DEEPEST:
            raise _problem(f"nested more than {DEEPEST} deep", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if alias and id(node) not in self.weights:
            raise _problem("an alias of what it stands in", mark)
        self.weight += self.weights[id(node)] if alias else 1
        self.weights.setdefault(id(node), self.weight - before)
        if self.weight > MOST_NODES:
            raise _problem(f"more than {MOST_NODES} values, aliases written out", mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, or say which key of it stands twice."""
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise _problem(f"the key '{key.value}' stands twice", key.start_mark)
            keys.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_text(self, node: yaml.ScalarNode) -> str:
        """Build text, but for words that were truth values in YAML 1.1."""
        if node.style is None and node.value.lower() in ("yes", "no", "on"):
            wanted = "true or false, or text in quotes"
            raise _problem(f"expected {wanted}, found {node.value}", node.start_mark)
        return str(node.value)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """Build a whole number as it is written."""
        digits = node.value.lstrip("+-")
        if len(digits) > MOST_DIGITS or (digits[0] == "0" and digits[1:].isdigit()):
            wanted = f"a whole number of at most {MOST_DIGITS} digits, without a 0 before it"
            raise _problem(f"expected {wanted}, found {node.value[:60]}", node.start_mark)
        return int(node.value, 0)

    def construct_real(self, node: yaml.ScalarNode) -> float:
        """Build a real number, or say that no computer's number comes near it."""
        text = node.value.lower()
        value = float(text.replace(".inf", "inf").replace(".nan", "nan"))
        mantissa = text.partition("e")[0]
        lost = math.isinf(value) and "inf" not in text
        if lost or (value == 0 and re.search("[1-9]", mantissa)) or re.match(r"[-+]?0\d", text):
            wanted = "a real number that a computer can hold, without a 0 before it"
            raise _problem(f"expected {wanted}, found {text[:60]}", node.start_mark)
        return value


class _Dumper(yaml.SafeDumper):
    """Puts text into quotes that YAML 1.1 or 1.2 would take for something else."""

    yaml_implicit_resolvers = {**yaml.SafeDumper.yaml_implicit_resolvers}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


_Loader.yaml_constructors = {
    f"tag:yaml.org,2002:{kind}": make
    for kind, make in {
        "null": _Loader.construct_yaml_null,
        "bool": _Loader.construct_yaml_bool,
        "int": _Loader.construct_whole,
        "float": _Loader.construct_real,
        "str": _Loader.construct_text,
        "seq": _Loader.construct_yaml_seq,
        "map": _Loader.construct_yaml_map,
    }.items()
} | {None: _Loader.construct_undefined}
for _kind, _pattern in CORE.items():
    for _each in (_Loader, _Dumper):
        _each.add_implicit_resolver(
            f"tag:yaml.org,2002:{_kind}", re.compile(f"({_pattern})$"), None
        )


def _problem(what: str, mark: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, what, mark)


def load(text: str) -> Any:
    """Return what a YAML text holds; raise `yaml.YAMLError` for more than anybody writes."""
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"more than {MOST_CHARACTERS} characters")
    return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)


def dump(tree: Mapping[str, Any]) -> str:
    """Return a tree as YAML that `load` reads as the same."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False)
