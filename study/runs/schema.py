"""The JSON Schema of a config, for editors: ``python -m study.runs.schema > FILE``."""

from __future__ import annotations

import json
from typing import Any

from study.runs.run import fact_keys
from study.runs.settings import ADAM, AdamSettings
from study.runs.study import Study


def schema() -> dict[str, Any]:
    """Return the schema of a config: its settings, and for what varies lists of their values."""
    whole = Study.model_json_schema()
    parts = whole["$defs"]
    own = AdamSettings.model_json_schema()["properties"]
    other = {"class_path": {}, "schedule": {}, "init_args": {"properties": own}}
    adam = {"properties": {**own, **other}}
    parts["Optimizer"] |= {
        "if": {"properties": {"class_path": {"const": ADAM}}},
        "then": adam | {"additionalProperties": False},
    }
    lists = {"type": "array", "minItems": 1}
    optimizers = lists | {"items": {"$ref": "#/$defs/Optimizer"}}
    one: dict[str, Any] = {"optimizer": {"anyOf": [optimizers, {"type": "object"}]}}
    for key in (key for key in fact_keys()[1:] if not key.startswith("optimizer.")):
        subject, dot, name = key.partition(".")
        place = f"$defs/{subject.capitalize()}/properties/{name}" if dot else f"properties/{key}"
        one |= {key: lists | {"items": {"$ref": f"#/{place}"}}}
        one |= {subject: {"type": "object"}} if dot else {}
    whole["properties"]["vary"] |= {
        "properties": one,
        # What an optimizer's argument takes is its class's to say.
        "patternProperties": {r"^optimizer\.": lists},
        "additionalProperties": False,
    }
    return whole | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
