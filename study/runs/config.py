"""Configs: layers of YAML and options, laid over each other by dotted key; a study from and to it.

A layer is flat: a dotted key, e.g. ``data.label_noise`` or ``vary.data.label_noise``, and a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic.fields import FieldInfo

from study.base.errors import BadInput, nearest, unknown_key
from study.runs import yaml_text
from study.runs.declaring import MAPPING, Settings, plain
from study.runs.optimizer import OWN
from study.runs.run import Run, declared, fact_keys
from study.runs.settings import Wandb
from study.runs.study import Study

SECTIONS = [name for name, f in Run.model_fields.items() if isinstance(f.default, Settings)]
MAPPINGS = ("vary", "wandb", *SECTIONS)
PACKAGE = Path(__file__).parents[1]
SHIPPED = (PACKAGE.parent / "configs", PACKAGE / "configs")  # in a checkout, and installed


class Layer(NamedTuple):
    """What one config file says, or all options: flat values, and whether they are all of vary."""

    path: str
    values: dict[str, Any]
    whole_vary: bool


def keys() -> dict[str, FieldInfo]:
    """Return every setting that a config may give, by dotted key."""
    own = {name: f for name, f in Study.model_fields.items() if name not in ("base", "wandb")}
    run = {name: f for name, f in declared().items() if name != "seed"}
    return own | run | {f"wandb.{name}": f for name, f in Wandb.model_fields.items()}


def find(name: str) -> Path:
    """Return a config's path; ``random`` is the shipped one where there is no such file."""
    try:
        path = Path(name)
        if path.is_file():
            return path
        for place in SHIPPED:
            if re.fullmatch(r"\w+", name) and (place / f"{name}.yaml").is_file():
                return place / f"{name}.yaml"
        near = [str(p) for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    except (OSError, ValueError):  # too long, or not in this system's characters
        near = []
    shipped = [each.stem for place in SHIPPED for each in place.glob("*.yaml")]
    hint = nearest(name, near) or nearest(name, shipped) or "check the path"
    raise BadInput("--config", "a config file", name, hint)


def read_layer(name: str, *, written: bool = False) -> Layer:
    """Read a config file; ``written`` by a study, it may give varied keys a value, too."""
    try:
        tree = yaml_text.load(find(name).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        hint = "; indent with spaces" if "'\\t'" in problem else ""
        place = f"{name}, line {mark.line + 1}" if mark else name
        raise BadInput(place, "YAML", hint=problem + hint) from None
    except (UnicodeDecodeError, OSError) as error:
        raise BadInput(name, "a text file in UTF-8", hint=str(error)) from None
    if not isinstance(tree, Mapping):
        empty = {"hint": "the file is empty"} if tree is None else {"found": tree}
        raise BadInput(name, MAPPING, **empty)
    try:
        values = flat(tree)
        if not written:
            refuse_twice(values)
    except BadInput as fault:
        raise fault.in_file(name) from None
    return Layer(name, values, "vary" in tree)


def flat(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a config's tree by dotted keys, all known and none in two spellings."""
    result: dict[str, Any] = {}
    for key, value in _entries(tree):
        if "." not in key and key not in keys():
            top = [*(name for name in keys() if "." not in name), *MAPPINGS[1:]]
            hint = nearest(key, [*top, *keys()]) or "remove it"
            raise BadInput(key, f"one of {', '.join(top)}", hint=hint)
        if key not in keys() and not key.startswith(("vary.", "optimizer.")):
            raise unknown_key(key, keys())
        if key in result:
            raise BadInput(key, "one value", hint="it is given twice, in two spellings")
        result[key] = value
    return result


def _entries(tree: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name, subject = f"{above}{key}", str(key).partition(".")[0]
        if not above and subject in MAPPINGS:
            if subject != key:
                hint = f"write {key.removeprefix(f'{subject}.')} below {subject}:"
                raise BadInput(key, "keys without dots outside vary", hint=hint)
            if not isinstance(value, Mapping):
                raise BadInput(key, MAPPING, value)
        nested = name in (*MAPPINGS, "optimizer.init_args") or above.startswith("vary.")
        if nested and isinstance(value, Mapping):
            yield from _entries(value, f"{name}.")
        else:
            yield name.replace("optimizer.init_args.", "optimizer."), value


def refuse_twice(values: Mapping[str, Any]) -> None:
    """Raise `BadInput` where one layer both varies a key and gives it a value."""
    for key in values:
        if _varied(key, values):
            raise BadInput(key, "a value or a list in vary", hint="leave one of the two out")


def _varied(key: str, values: Mapping[str, Any]) -> str:
    above = "vary.optimizer" if key.startswith("optimizer.") else ""
    return next((name for name in (f"vary.{key}", above) if name in values), "")


def merged(layers: Sequence[Layer]) -> tuple[dict[str, Any], list[str]]:
    """Lay layers over each other, and say which lists of vary a value took the place of."""
    result: dict[str, Any] = {}
    replaced = []
    for layer in layers:
        if layer.whole_vary:
            result = {k: v for k, v in result.items() if not k.startswith("vary.")}
        before = result.get("optimizer.class_path", OWN)
        if layer.values.get("optimizer.class_path", before) != before:  # has other arguments
            result = {k: v for k, v in result.items() if not k.startswith("optimizer.")}
        below = dict(result)
        for option, value in layer.values.items():
            key = option.rstrip("+")
            if (varied := _varied(key, below)) in result:
                replaced.append(f"{key} is {value!r}, in place of {varied}: {result.pop(varied)!r}")
            if option != key and not isinstance(result.get(key, []), list):
                raise BadInput(key, "a list to add to", result[key])
            result[key] = value if option == key else [*result.get(key, []), *value]
    return result, replaced


def study_of(values: Mapping[str, Any]) -> Study:
    """Build the study that flat values describe."""
    vary = {k.removeprefix("vary."): v for k, v in values.items() if k.startswith("vary.")}
    given = {k: v for k, v in values.items() if not k.startswith("vary.")}
    facts = [key for key in vary if key in fact_keys()[1:] or key == "optimizer"]
    lists = {key: vary[key] for key in facts if isinstance(vary[key], (list, tuple))}
    # What varies has no value of its own: of the first arm it is right if anything is.
    first = {key: each[0] for key, each in lists.items() if each and key not in given}
    in_run = {k: v for k, v in given.items() if k in declared() or k.startswith("optimizer.")}
    try:
        base = Run.of({**in_run, **first})
    except BadInput as fault:
        varied = {fault.key, fault.key.partition(".")[0]} & first.keys()
        raise fault.under("vary") if varied else fault from None
    own = {k: v for k, v in given.items() if k not in in_run and not k.startswith("wandb.")}
    wandb = {k.removeprefix("wandb."): v for k, v in given.items() if k.startswith("wandb.")}
    return Study(**{**own, "vary": vary, "base": base, "wandb": wandb})


def study_in(folder: Path) -> Study:
    """Return the study that the config in its folder describes."""
    return study_of(merged([read_layer(str(folder / "study.yaml"), written=True)])[0])


def study_yaml(study: Study) -> str:
    """Return the config that makes this study again, every value written out but what varies."""
    tree: dict[str, Any] = {}
    for name, value in plain(study).items():
        tree |= _without(study.vary, value) if name == "base" else {name: value}
    del tree["seed"], tree["out"]
    return yaml_text.dump(tree)


def _without(varied: Mapping[str, Any], tree: dict[str, Any], above: str = "") -> dict[str, Any]:
    return {
        key: _without(varied, value, "optimizer." if key == "init_args" else f"{key}.")
        if isinstance(value, dict)
        else value
        for key, value in tree.items()
        if f"{above}{key}" not in varied
    }


def in_its_file(fault: BadInput, layers: Sequence[Layer]) -> BadInput:
    """Return a fault with the file that its key stands in, unless an option gave it."""
    for layer in reversed(layers):
        pairs = [(f"{name.rstrip('+')}.", f"{fault.key}.") for name in layer.values]
        if any(name.startswith(key) or key.startswith(name) for name, key in pairs):
            return fault.in_file(layer.path) if layer.path else fault
    return fault
