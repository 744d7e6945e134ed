"""What the loopback server remembers, and its answers to a client's GraphQL operations."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loopback_run import CREATED, ENTITY, Json, StoredRun, portable

HEAVY = ("config", "summaryMetrics", "systemMetrics")


@dataclass
class Store:
    """Runs by id, saved views by id, and the operations on them."""

    url: str = ""
    runs: dict[str, StoredRun] = field(default_factory=dict)
    views: dict[str, Json] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def run(self, run: str, entity: str | None = None, project: str | None = None) -> StoredRun:
        """Return the run of that id, made where there is none."""
        made = StoredRun(run, entity or ENTITY, project or "uncategorized")
        return self.runs.setdefault(run, made)

    def answer(self, body: Json) -> Json:
        """Answer one GraphQL request."""
        name = operation(body)
        answer = ANSWERS.get(name)
        if answer is None:
            # An empty answer makes the client panic; it lives with an error.
            return {"errors": [{"message": f"the loopback server knows no {name}"}]}
        with self.lock:
            data = answer(self, body.get("variables") or {})
        for edge in data["project"]["runs"]["edges"] if name == "Runs" else ():
            for field_name in HEAVY:  # a list asks for them only if all of each run is wanted
                if field_name not in body["query"]:
                    del edge["node"][field_name]
        return {"data": data}

    def _viewer(self, _: Json) -> Json:
        user = {"id": "1", "entity": ENTITY, "username": ENTITY, "name": ENTITY, "admin": False}
        nothing: Json = {"edges": []}
        user |= {
            "email": "",
            "flags": "{}",
            "deletedAt": None,
            "teams": nothing,
            "apiKeys": nothing,
        }
        return {"viewer": user}

    def _upsert_bucket(self, given: Json) -> Json:
        run_id = given.get("name") or given["id"]
        inserted = run_id not in self.runs
        run = self.run(run_id, given.get("entity"), given.get("project"))
        run.upsert(given)
        return {"upsertBucket": {"bucket": run.node(), "inserted": inserted}}

    def _resume_status(self, given: Json) -> Json:
        entity, project = given.get("entity") or ENTITY, given.get("project") or "uncategorized"
        run = self.runs.get(given["name"])
        model = {"id": project, "name": project, "entity": {"id": entity, "name": entity}}
        return {"model": model | {"bucket": run and run.node()}}

    def _create_files(self, given: Json) -> Json:
        urls = [
            {"name": name, "uploadUrl": f"{self.url}/upload/{given['run']}/{name}"}
            for name in given["files"]
        ]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": urls}}

    def _project(self, project: str, entity: str, **more: Any) -> Json:
        return {
            "__typename": "Project",
            "id": project,
            "internalId": "1",
            "name": project,
            "entityName": entity,
            "createdAt": CREATED,
            "isBenchmark": False,
            "readOnly": False,
            "user": None,
        } | more

    def _runs(self, given: Json) -> Json:
        filters = json.loads(given.get("filters") or "{}")
        found = [
            run
            for run in self.runs.values()
            if (run.entity, run.project) == (given["entity"], given["project"])
            and run.matches(filters)
        ]
        start = int(given.get("cursor") or 0)
        stop = min(start + given.get("perPage", 50), len(found))
        edges = [{"node": found[i].node(), "cursor": str(i + 1)} for i in range(start, stop)]
        page = {"endCursor": str(stop), "hasNextPage": stop < len(found)}
        runs = {"edges": edges, "pageInfo": page}
        project = self._project(given["project"], given["entity"], runCount=len(found), runs=runs)
        return {"project": project}

    def _run(self, given: Json) -> Json:
        run = self.runs.get(given.get("name") or given.get("run") or given.get("runName") or "")
        if run is None:
            return {"project": {"run": None}}
        node = run.node()
        first, last = given.get("minStep", 0), given.get("maxStep", float("inf"))
        rows = [portable(row) for row in run.history if first <= row.get("_step", -1) < last]
        node["history"] = [json.dumps(row) for row in rows]
        node["parquetHistory"] = {"parquetUrls": [], "liveData": rows}
        node["sampledHistory"] = [rows]
        return {"project": {"run": node}}

    def _run_files(self, given: Json) -> Json:
        run, edges = self.runs[given["name"]], []
        for name, content in sorted(run.files.items()):
            url = f"{self.url}/upload/{run.id}/{name}"
            node = {
                "id": name,
                "name": name,
                "url": url,
                "directUrl": url,
                "md5": "",
                "mimetype": "",
            }
            edges.append({"node": {**node, "sizeBytes": len(content), "updatedAt": CREATED}})
        page = {"endCursor": None, "hasNextPage": False}
        files = {"edges": edges, "pageInfo": page}
        return {"project": {"internalId": "1", "run": {"fileCount": len(edges), "files": files}}}

    def _one_project(self, given: Json) -> Json:
        name = given.get("projectName") or given["name"]
        entity = given.get("entityName") or given["entity"]
        return {"project": self._project(name, entity)}

    def _projects(self, given: Json) -> Json:
        names = sorted({run.project for run in self.runs.values()})
        edges = [{"node": self._project(name, given.get("entity") or ENTITY)} for name in names]
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {"models": {"edges": edges, "pageInfo": page}}

    def _create_project(self, given: Json) -> Json:
        name, entity = given["input"]["name"], given["input"].get("entityName") or ENTITY
        made = self._project(name, entity, description=None, access=None, views=None)
        return {"result": {"project": made, "model": made, "inserted": True}}

    def _upsert_view(self, given: Json) -> Json:
        # Links to a report carry its id without padding, and are decoded by the client.
        key = given.get("id") or base64.b64encode(f"View:{len(self.views):04}".encode()).decode()
        project = {"id": "1", "name": given["projectName"], "entityName": given["entityName"]}
        fields = ("type", "name", "displayName", "description", "spec")
        view = {name: given.get(name) for name in fields} | {"id": key, "project": project}
        inserted = key not in self.views
        self.views[key] = view | {"createdAt": CREATED, "updatedAt": CREATED}
        return {"upsertView": {"view": self.views[key], "inserted": inserted}}


def operation(body: Json) -> str:
    """Return the name of the operation that a GraphQL request asks for."""
    found = re.search(r"\b(?:query|mutation)\s+(\w+)", body.get("query", ""))
    return body.get("operationName") or (found[1] if found else "")


ANSWERS: dict[str, Callable[[Store, Json], Json]] = {
    "Viewer": Store._viewer,
    "GetViewer": Store._viewer,
    "GetDefaultEntity": Store._viewer,
    "ServerFeaturesQuery": lambda _, __: {"serverInfo": {"features": []}},
    "UpsertBucket": Store._upsert_bucket,
    "RunResumeStatus": Store._resume_status,
    "CreateRunFiles": Store._create_files,
    "MarkRunFilesUploaded": lambda _, __: {"markRunFilesUploaded": {"success": True}},
    "RunStoppedStatus": lambda _, __: {"project": {"run": {"stopped": False}}},
    "Runs": Store._runs,
    "RunFiles": Store._run_files,
    "ProjectInternalId": Store._one_project,
    "GetProject": Store._one_project,
    "GetProjects": Store._projects,
    "CreateProject": Store._create_project,
    "upsertView": Store._upsert_view,
    "SpecificReport": lambda store, given: {"view": store.views.get(given["reportId"])},
} | dict.fromkeys(
    [
        "Run",
        "RunState",
        "RunHistoryKeys",
        "RunFullHistory",
        "RunSampledHistory",
        "RunParquetHistory",
        "HistoryPage",
        "QueryRunInfo",
    ],
    Store._run,
)
