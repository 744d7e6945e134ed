"""One run as the loopback server holds it, and as a client's queries see it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ENTITY = "tester"
CREATED = "2025-01-01T00:00:00Z"
Json = dict[str, Any]


@dataclass
class StoredRun:
    """One run as the service would hold it."""

    id: str
    entity: str
    project: str
    config: Json = field(default_factory=dict)
    """Plain values: the client's ``{"value": ...}`` wrapping is taken off."""
    summary: Json = field(default_factory=dict)
    history: list[Json] = field(default_factory=list)
    """Rows by line number; a line that no request brought is an empty row."""
    chunks: list[tuple[int, int]] = field(default_factory=list)
    """Offset and number of lines of each request that brought history."""
    group: str | None = None
    job_type: str | None = None
    tags: list[str] = field(default_factory=list)
    name: str = ""
    notes: str | None = None
    state: str = "running"
    exit_code: int | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    events: int = 0
    log_lines: int = 0
    raw_config: Json = field(default_factory=dict)

    def stream(self, body: Json) -> None:
        """Take one file-stream request."""
        for name, part in (body.get("files") or {}).items():
            offset, lines = part.get("offset", 0), part.get("content", [])
            if name == "wandb-history.jsonl":
                self.chunks.append((offset, len(lines)))
                self.history += [{} for _ in range(offset + len(lines) - len(self.history))]
                self.history[offset : offset + len(lines)] = [json.loads(line) for line in lines]
            elif name == "wandb-summary.json" and lines:
                self.summary = json.loads(lines[-1])
            elif name == "wandb-events.jsonl":
                self.events = max(self.events, offset + len(lines))
            elif name == "output.log":
                self.log_lines = max(self.log_lines, offset + len(lines))
        if body.get("complete"):
            self.exit_code = body.get("exitcode", 0)
            self.state = "failed" if self.exit_code else "finished"

    def upsert(self, given: Mapping[str, Any]) -> None:
        """Take the variables of an ``UpsertBucket``; what is null stays as it was."""
        if given.get("config") is not None:
            self.raw_config = json.loads(given["config"])
            self.config = {
                key: value["value"] if isinstance(value, dict) and "value" in value else value
                for key, value in self.raw_config.items()
                if key != "_wandb"
            }
        if given.get("summaryMetrics") is not None:
            self.summary = json.loads(given["summaryMetrics"])
        for key, attribute in [
            ("groupName", "group"),
            ("jobType", "job_type"),
            ("tags", "tags"),
            ("displayName", "name"),
            ("display_name", "name"),
            ("notes", "notes"),
        ]:
            if given.get(key) is not None:
                setattr(self, attribute, given[key])
        self.state = given.get("state") or "running"

    def node(self) -> Json:
        """All fields that some query asks for; clients ignore what they did not ask."""
        entity = {"id": self.entity, "name": self.entity}
        project = {"id": self.project, "name": self.project, "entity": entity}
        telemetry = self.raw_config.get("_wandb", {}).get("value", {}).get("t", {})
        last = max((row.get("_step", 0) for row in self.history), default=-1)
        return {
            "id": self.id,
            "projectId": "1",
            "name": self.id,
            "displayName": self.name or self.id,
            "description": None,
            "notes": self.notes,
            "config": json.dumps(self.raw_config),
            "summaryMetrics": json.dumps(portable(self.summary)),
            "systemMetrics": "{}",
            "sweepName": None,
            "state": self.state,
            "group": self.group,
            "jobType": self.job_type,
            "tags": self.tags,
            "commit": None,
            "readOnly": False,
            "createdAt": CREATED,
            "heartbeatAt": CREATED,
            "user": {"name": ENTITY, "username": ENTITY},
            "historyLineCount": len(self.history),
            "historyKeys": {"lastStep": last},
            "historyTail": json.dumps([json.dumps(portable(row)) for row in self.history[-1:]]),
            "eventsLineCount": self.events,
            "eventsTail": "[]",
            "logLineCount": self.log_lines,
            # A run that carries no telemetry counts as one that was never started.
            "wandbConfig": json.dumps({"t": telemetry}),
            "project": project,
        }

    def matches(self, filters: Mapping[str, Any]) -> bool:
        """Whether the run passes the subset of Mongo's filters that tests use."""
        return all(self._matches(key, wanted) for key, wanted in filters.items())

    def _matches(self, key: str, wanted: Any) -> bool:
        if key in ("$and", "$or"):
            return {"$and": all, "$or": any}[key](self.matches(each) for each in wanted)
        if key.startswith("config."):
            value = self.config.get(key.removeprefix("config.").removesuffix(".value"))
        else:
            value = (self.node() | {"job_type": self.job_type, "display_name": self.name}).get(key)
        operator, operand = (
            ("$eq", wanted) if not isinstance(wanted, dict) else next(iter(wanted.items()))
        )
        if operator in ("$eq", "$ne"):
            found = operand in value if isinstance(value, list) else value == operand
            return found == (operator == "$eq")
        if operator == "$in":
            return bool({*value} & {*operand}) if isinstance(value, list) else value in operand
        raise ValueError(f"no such filter here: {key}: {wanted}")


def portable(value: Any) -> Any:
    """Return `value` with numbers that JSON lacks as text, as the service gives them out."""
    if isinstance(value, dict):
        return {key: portable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [portable(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
