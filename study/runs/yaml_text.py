"""YAML 1.2 read strictly and within bounds, and written so that readers of 1.1 see the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

from study.base.errors import BadInput

MOST_CHARACTERS, MOST_NODES, DEEPEST, LONGEST = 2**22, 200_000, 40, 40
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
    """Reads the core schema; no key stands twice, nothing surprises, and nothing grows."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (the parent's attribute)
    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Stop early at a text of too many values, which takes minutes to read to its end."""
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise yaml.YAMLError(f"more than {MOST_NODES} values")
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Puts text into quotes that YAML 1.1 or 1.2 would take for something else."""

    yaml_implicit_resolvers = {**yaml.SafeDumper.yaml_implicit_resolvers}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


for _kind, _pattern in CORE.items():
    for _each in (_Loader, _Dumper):
        _each.add_implicit_resolver(
            f"tag:yaml.org,2002:{_kind}", re.compile(f"({_pattern})$"), None
        )


def _check(node: yaml.Node, sizes: dict[int, int], depth: int = 0) -> int:
    """Return how many values a node holds, each alias as all that it stands for, or refuse it."""
    if id(node) in sizes:
        return sizes[id(node)]
    if depth > DEEPEST:
        raise _problem(f"nested more than {DEEPEST} deep, or an alias of what it stands in", node)
    if node.tag.rpartition(":")[2] not in (*CORE, "str", "seq", "map"):
        raise _problem(f"the tag {node.tag} is not taken", node)
    inner: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.ScalarNode):
        _check_scalar(node)
    if isinstance(node, yaml.MappingNode):
        inner = [each for pair in node.value for each in pair]
        keys: set[str] = set()
        for key in inner[::2]:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise _problem(f"the key '{key.value}' stands twice", key)
            keys.add(str(key.value))
    sizes[id(node)] = 1 + sum(_check(each, sizes, depth + 1) for each in inner)
    if sizes[id(node)] > MOST_NODES:
        raise _problem(f"more than {MOST_NODES} values, aliases written out", node)
    return sizes[id(node)]


def _check_scalar(node: yaml.ScalarNode) -> None:
    """Refuse what other readers of YAML, or computers, take for something else than it says."""
    kind, text = node.tag.rpartition(":")[2], node.value.lower()
    if kind == "str" and node.style is None and text in ("yes", "no", "on"):
        raise _problem(f"expected true or false, or text in quotes, found {text}", node)
    real = kind == "float" and "n" not in text  # neither .inf nor .nan
    lost = real and float(text) in (0, math.inf, -math.inf) and re.match("[^e]*[1-9]", text)
    if kind in ("int", "float") and (lost or len(text) > LONGEST or re.match(r"[-+]?0\d", text)):
        wanted = f"a number of at most {LONGEST} signs that a float holds, without a 0 before it"
        raise _problem(f"expected {wanted}, found {text[:60]}", node)


def _problem(what: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, what, node.start_mark)


def load(text: str, name: str = "") -> Any:
    """Return what a YAML text holds; faults are those of ``name``.

    Raises
    ------
    BadInput
        No YAML, or more of it than anybody writes.
    """
    try:
        if len(text) > MOST_CHARACTERS:
            raise yaml.YAMLError(f"more than {MOST_CHARACTERS} characters")
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _check(node, {})
        return None if node is None else loader.construct_document(node)
    except RecursionError:
        raise BadInput(name, "YAML", hint=f"nested more than {DEEPEST} deep") from None
    except (yaml.YAMLError, ValueError) as error:  # the second: !!int of what is none
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", error)
        if mark is None:
            raise BadInput(name, "YAML", hint=str(problem)) from None
        line = f"{text}\n".splitlines()[mark.line]
        raise BadInput(f"{name}, line {mark.line + 1}", "YAML", line, str(problem)) from None


def dump(tree: Mapping[str, Any]) -> str:
    """Return a tree as YAML that `load` reads as the same."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False)
