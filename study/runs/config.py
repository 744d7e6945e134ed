"""Configs: layers of YAML and options, laid over each other by dotted key, and their study."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from study.base.errors import BadInput, nearest
from study.runs import yaml_text
from study.runs.declaring import MAPPING, Settings, nested
from study.runs.settings import ADAM
from study.runs.study import Study

SUBJECTS = [name for name, f in Study.model_fields.items() if isinstance(f.default, Settings)]
MAPPINGS = ("vary", *SUBJECTS)
WRITTEN = re.compile(r"study(\.\d+)?\.yaml")
PACKAGE = Path(__file__).parents[1]
SHIPPED = (PACKAGE.parent / "configs", PACKAGE / "configs")  # in a checkout, and installed
# A file's name, which options lack, and what it says by dotted key, ``vary.data.label_noise`` being
# one. A key that ends in + adds to a list; ``vary`` ends what varies in the layers below.
Layer = tuple[str, dict[str, Any]]


def find(name: str) -> Path:
    """Return a config's path; ``random`` is the shipped one where there is no such file."""
    shipped = {path.stem: path for place in SHIPPED for path in place.glob("*.yaml")}
    near: list[str] = []
    try:
        if Path(name).is_file():
            return Path(name)
        near += map(str, Path(name).parent.glob("*.y*ml"))
    except (OSError, ValueError):  # too long, or not in this system's characters
        pass
    if name in shipped:
        return shipped[name]
    hint = nearest(name, near) or nearest(name, shipped) or "check the path"
    raise BadInput("--config", "a config file", name, hint)


def read_layer(name: str) -> Layer:
    """Read a config file; one that a study wrote may give varied keys a value, too."""
    path = find(name)
    try:
        tree = yaml_text.load(path.read_text(encoding="utf-8"), name)
    except (UnicodeDecodeError, OSError) as error:
        raise BadInput(name, "a text file in UTF-8", hint=str(error)) from None
    if not isinstance(tree, Mapping):
        raise BadInput(name, MAPPING, tree, "" if tree is not None else "the file is empty")
    try:
        for key in map(str, tree):
            subject, dot, rest = key.partition(".")
            if dot and subject in MAPPINGS:
                hint = f"write {rest} below {subject}:"
                raise BadInput(key, "keys without dots outside vary", hint=hint)
        values = flat(tree)
        # Earlier versions wrote out every value, of which vary is the one that counts.
        if not (WRITTEN.fullmatch(path.name) and (path.parent / "sources").is_dir()):
            refuse_twice(values)
    except BadInput as fault:
        raise fault.in_file(name) from None
    return name, values


def flat(tree: Mapping[Any, Any], above: str = "") -> dict[str, Any]:
    """Return a config's tree by dotted key, none in two spellings."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{above}{key}"
        if name in MAPPINGS and not isinstance(value, Mapping):
            raise BadInput(name, MAPPING, value)
        below = {name.replace("optimizer.init_args.", "optimizer."): value}
        inner = name in (*MAPPINGS, "optimizer.init_args") or name.startswith("vary.")
        if inner and isinstance(value, Mapping):
            below = {"vary": {}} if name == "vary" else {}
            below |= flat(value, f"{name}.")
        for twice in below.keys() & found.keys():
            raise BadInput(twice, "one value", hint="it is given twice, in two spellings")
        found |= below
    return found


def refuse_twice(values: Mapping[str, Any]) -> None:
    """Raise `BadInput` where one layer both varies a key and gives it a value."""
    for key in values:
        if varied(key, values):
            raise BadInput(key, "a value or a list in vary", hint="leave one of the two out")


def varied(key: str, values: Mapping[str, Any]) -> str:
    """Return the key by which values vary a key, or nothing."""
    above = "vary.optimizer" if key.startswith("optimizer.") else ""
    return next((name for name in (f"vary.{key}", above) if name in values), "")


def study_of(layers: Iterable[Layer]) -> tuple[Study, list[str]]:
    """Lay layers over each other; say also which lists of vary a value took the place of."""
    result: dict[str, Any] = {}
    replaced, files = [], {}
    for file, values in layers:
        below = dict(result)
        for option in sorted(values, key=lambda key: key not in ("vary", "optimizer.class_path")):
            key, value = option.rstrip("+"), values[option]
            if key == "vary" or (key == "optimizer.class_path" and value != result.get(key, ADAM)):
                subject = f"{key.partition('.')[0]}."  # another class has other arguments
                kept = [k for k in result if not k.startswith(subject) or k == "optimizer.schedule"]
                result = {k: result[k] for k in kept}
            if (list_ := varied(key, below)) in result:
                replaced.append(f"{key} is {value!r}, in place of {list_}: {result.pop(list_)!r}")
            if option != key and not isinstance(result.get(key, []), list):
                raise BadInput(key, "a list to add to", result[key])
            result[key] = value if option == key else [*result.get(key, []), *value]
            files[key] = file
    try:
        return Study.of(result), replaced
    except BadInput as fault:
        given = [file for key, file in files.items() if f"{fault.key}.".startswith(f"{key}.")]
        raise (fault.in_file(given[-1]) if given and given[-1] else fault) from None


def study_in(folder: Path) -> Study:
    """Return the study that the config in its folder describes."""
    return study_of([read_layer(str(folder / "study.yaml"))])[0]


def study_yaml(study: Study, *, out: bool = False) -> str:
    """Return the config that makes this study again, every value written out but what varies."""
    values = {"name": study.name, "seeds": study.seeds, "vary": {}, **study.values()}
    kept = {key: value for key, value in values.items() if not varied(key, values)}
    if not out or study.out is None:
        del kept["out"]
    return yaml_text.dump(nested(kept))
