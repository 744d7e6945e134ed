"""The command-line parser's own messages, several lines long, as one line with its key."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from study.base.errors import BadInput, nearest
from study.runs.config_files import SECTIONS, load_yaml
from study.runs.run import Run
from study.runs.study import Study


def parser_fault(message: str, arguments: ArgumentParser) -> BadInput:
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
        return load_yaml(text)
    except yaml.YAMLError:
        return text


def _expected(key: str) -> tuple[str, list[str]]:
    """Return the declaration of a key in words, and the names it chooses from."""
    subject, _, name = key.partition(".")
    if subject == "optimizer":
        return "a mapping: study.Adam's arguments, or class_path and init_args", []
    owner = SECTIONS[subject] if name else Run if key == "evaluate_every" else Study
    declared = {field.name: field.metadata for field in dataclasses.fields(owner)}
    options = {"config": "a config file", "shard": "k/n, e.g. 1/4"}
    options |= dict.fromkeys(("plan", "print_config"), "no value")
    text = options.get(key) or str(declared[name or key]["expected"])
    names = text.removeprefix("one of ").split(", ") if text.startswith("one of ") else []
    return text, names
