"""The JSON Schema of a config, for editors: ``python -m study.runs.schema > FILE``."""

from __future__ import annotations

import json
from typing import Any

from study.runs.config import SECTIONS
from study.runs.optimizer import OWN, AdamSettings
from study.runs.run import fact_keys
from study.runs.study import Study


def schema() -> dict[str, Any]:
    """Return the schema of a config: of a study, with its run's settings beside its own."""
    whole = Study.model_json_schema()
    parts = whole.pop("$defs")
    settings = whole["properties"] | parts.pop("Run")["properties"]
    del settings["base"], settings["seed"]
    parts |= {"Adam": AdamSettings.model_json_schema(), "Optimizer": _optimizer()}
    one = {key: _item(key) for key in fact_keys()[1:]} | {"optimizer": _ref("Optimizer")}
    several = {key: {"type": "array", "minItems": 1, "items": each} for key, each in one.items()}
    below: dict[str, Any] = {name: {"type": "object"} for name in SECTIONS if name != "optimizer"}
    below["optimizer"] = {"anyOf": [several.pop("optimizer"), {"type": "object"}]}
    vary = {
        "properties": several | below,
        "patternProperties": {r"^optimizer\.": {"type": "array"}},
    }
    settings["vary"] |= vary | {"additionalProperties": False}
    whole |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A study"}
    return whole | {"properties": settings, "$defs": parts}


def _ref(*path: str) -> dict[str, Any]:
    return {"$ref": "/".join(("#/$defs", *path))}


def _item(key: str) -> dict[str, Any]:
    subject, dot, name = key.partition(".")
    if subject == "optimizer":
        return {}  # what it takes is another class's to say
    return (
        _ref(subject.capitalize(), "properties", name) if dot else {"$ref": f"#/properties/{key}"}
    )


def _optimizer() -> dict[str, Any]:
    own = {key: _ref("Adam", "properties", key) for key in AdamSettings.model_fields}
    own |= {"class_path": {"const": OWN}, "init_args": _ref("Adam")}
    other = {"class_path": {"type": "string", "not": {"const": OWN}}}
    return {
        "description": "study.Adam's arguments, or any torch optimizer's class_path and arguments.",
        "type": "object",
        "anyOf": [
            {"properties": own, "additionalProperties": False},
            {"properties": other, "required": ["class_path"]},
        ],
    }


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
