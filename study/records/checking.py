"""Checks a study's records against the hashes they were recorded with; trains nothing.

A row of ``runs`` has hashes of the run's record (see `study.records.hashes`) and of its weights, an
id is the hash of its facts, a claim stands beside its hash, and environments, images and added
columns are named by their hashes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from study.base.errors import BadInput
from study.base.files import MOST_BYTES, read_json, read_regular, sha256
from study.records import images, networks
from study.records.hashes import HASHED, HASHES, by_run, digest, facts_of, recorded_hashes
from study.records.ledgers import read_statement
from study.records.once import Record, records_of
from study.records.parquet import KINDS, OF_EVERY_RUN, part_names, read_part
from study.records.reading import read_config
from study.records.sound import NO_PART
from study.runs.progress import FAILED
from study.runs.run import Run

SHORT = 12  # digits of the hashes that name environments and images
WHAT = {"runs": "row", "history": "history", "answers": "predictions"}
NAMED = {"environment": "json", "images": "npy", "sources": "json", "measures": "parquet"}
APART = "differs from the hash that it is named by"


class Checked(NamedTuple):
    """What a check found.

    Attributes
    ----------
    runs
        How many runs are recorded, failed ones among them.
    faults
        A line for each thing that does not agree with its hash.
    notes
        A line for each thing that no hash covers.
    """

    runs: int
    faults: list[str]
    notes: list[str]


def check(folder: Path) -> Checked:
    """Check every record of a study.

    Raises
    ------
    BadInput
        No study's folder.
    OSError
        A file that the system cannot read.
    """
    read_config(folder)
    faults: list[str] = []
    named = _Named(folder, faults)
    records: dict[str, list[Record]] = defaultdict(list)
    for part in part_names(folder):
        for run, record in _in_part(folder, part, faults).items():
            records[run].append(record)
            faults += [f"run {run}: {fault}" for fault in _of_record(record, named)]
    for its in [each for each in records.values() if len(each) > 1]:
        its.sort(key=lambda record: record.rank)
    weights = {path.stem: path for path in (folder / "weights").glob("*.safetensors")}
    for run in sorted(records.keys() & weights.keys()):
        found = _of_weights(weights[run], records[run][0])
        faults += [f"{weights[run]}: {fault}" for fault in found]
    with _noted(faults):
        read_statement(folder)
    return Checked(len(records), faults, [*_not_covered(records, weights), *named.notes])


class _Named:
    """The files that records name, most by their content's hash: each is checked once."""

    def __init__(self, folder: Path, faults: list[str]) -> None:
        self.folder, self.notes = folder, dict[str, None]()
        environments, pictures, sources, measures = (
            sorted((folder / kind).glob(f"*.{ending}")) for kind, ending in NAMED.items()
        )
        self.images = {path.stem for path in pictures}
        self.environments = {path.stem: _json(path, faults) for path in environments}
        self.sources = {path.stem: _json(path, faults).get("sha256", "") for path in sources}
        for path in [*environments, *pictures]:
            most = images.MOST_BYTES if path in pictures else MOST_BYTES
            with _noted(faults):
                if sha256([read_regular(path, most)])[:SHORT] != path.stem:
                    faults.append(f"{path}: {APART}")
        for path in measures:
            table = read_part(path)
            if table is None:
                faults.append(f"{path}: {NO_PART}")
            elif len(path.stem) < len(digest(table)):
                self.notes[f"{path}: an earlier version's, so no hash covers it"] = None
            elif path.stem != digest(table):
                faults.append(f"{path}: {APART}")

    def source(self, dataset: str, checksum: object) -> Iterator[str]:
        """Yield a fault where a data set's checksum is not the one that the study began with."""
        if dataset not in self.sources:
            path = self.folder / "sources" / f"{dataset}.json"
            why = "missing, so nothing says with which data the study began"
            self.notes[f"{path}: {why}"] = None
        elif self.sources[dataset] != checksum:
            yield f"its data_hash is not that of {dataset} in sources/"


@contextlib.contextmanager
def _noted(faults: list[str]) -> Iterator[None]:
    """Add why a file cannot be read to the faults."""
    try:
        yield
    except (BadInput, OSError) as error:
        faults.append(str(error))


def _json(path: Path, faults: list[str]) -> Mapping[str, Any]:
    """Return the mapping in a JSON file; {} where there is none, which is a fault."""
    try:
        return read_json(path, "a JSON object")
    except (BadInput, OSError) as error:
        faults.append(str(error))
    return {}


def _in_part(folder: Path, part: str, faults: list[str]) -> dict[str, Record]:
    """Return the records in a part, and add what is wrong with it as a whole to the faults."""
    paths = {kind: folder / kind / f"{part}.parquet" for kind in KINDS}
    tables = {}
    try:
        for kind, path in paths.items():
            if (table := read_part(path)) is not None:
                tables[kind] = table
            elif kind in OF_EVERY_RUN or path.exists():
                faults.append(f"{path}: {NO_PART}")
    except BadInput as error:
        faults.append(str(error))
        return {}
    rows = by_run(tables.get("runs"))
    if "runs" in tables and not rows:
        faults.append(f"{paths['runs']}: no row")
    for kind, table in tables.items():
        lost = by_run(table).keys() - rows.keys()
        faults += [f"{paths[kind]}: run {run} has no row in {paths['runs']}" for run in lost]
    many = {run: len(row) for run, row in rows.items() if len(row) > 1}
    faults += [f"{paths['runs']}: run {run} has {number} rows" for run, number in many.items()]
    return records_of(part, tables) if "history" in tables else {}


def _of_record(record: Record, named: _Named) -> Iterator[str]:
    """Yield what of a record does not agree with its hashes."""
    try:
        facts = facts_of(record.row)
        run = Run.of_record(facts).id
    except BadInput as error:
        yield f"facts that are no run's: {error}"
        return
    if run != record.cell("run"):
        yield f"its facts are those of run {run}"
    known = record.row.column_names
    apart = [key for key in facts if key not in known or not _same(record.cell(key), facts[key])]
    if apart:
        yield f"its columns differ from its facts: {', '.join(apart)}"
    yield from (f"its {WHAT[kind]} differs from the recorded hash" for kind in record.edited)
    name = record.cell("environment")
    environment = named.environments.get(str(name))
    if environment is None:
        yield f"its environment {name} is missing"
    elif recorded_hashes(record.row) is None and (
        HASHES in known or environment.get("record_hashes") == HASHED
    ):
        yield "its hashes are missing"
    if (checksum := record.cell("data_hash")) is not None:
        yield from named.source(str(facts.get("data.dataset")), checksum)
    if record.answers is not None and "images" in record.answers.column_names:
        missing = {*record.answers["images"].to_pylist()} - named.images - {None}
        yield from (f"its images {each} are missing" for each in sorted(map(str, missing)))


def _same(cell: object, fact: object) -> bool:
    """Tell whether a cell holds a fact; merged parts have some numbers as floats or as text."""
    if isinstance(fact, (list, dict)):
        return cell == json.dumps(fact)
    if fact is None:
        return cell is None or cell != cell
    if isinstance(cell, str) and not isinstance(fact, str):
        try:
            cell = json.loads(cell.lower())
        except (ValueError, RecursionError):
            return False
    return cell == fact and isinstance(cell, bool) == isinstance(fact, bool)


def _of_weights(path: Path, record: Record) -> Iterator[str]:
    """Yield what of a weights file does not agree with its run's record."""
    from safetensors import SafetensorError
    from safetensors.numpy import deserialize

    try:
        content = read_regular(path, networks.MOST_BYTES)
        tensors = dict(deserialize(content))
    except (BadInput, OSError) as error:
        yield str(error)
        return
    except (SafetensorError, ValueError):
        yield "no whole weights file"
        return
    if sha256(tensors[name]["data"] for name in sorted(tensors)) != record.cell("weights_hash"):
        yield "its weights differ from the recorded hash"
    try:
        facts = facts_of(record.row)
    except BadInput:
        return  # which the row's own check says
    # The hash is of the numbers alone; the facts and the biases say what shapes they have.
    hidden = facts.get("model.hidden")
    hidden = hidden if isinstance(hidden, list) else []
    shapes = {name: list(each["shape"]) for name, each in tensors.items()}
    last = [record.cell("classes"), *shapes.get(f"{2 * len(hidden)}.bias", []), 0]
    outputs = [*hidden, last[0] or last[1]]  # earlier versions recorded no number of classes
    sizes = [*shapes.get("0.weight", [0, 0])[1:], *outputs]
    wanted: dict[str, list[int]] = {}
    for i, (n, m) in enumerate(itertools.pairwise(sizes)):
        wanted |= {f"{2 * i}.weight": [m, n], f"{2 * i}.bias": [m]}
    if shapes != wanted or {each["dtype"] for each in tensors.values()} - {"F32", "F64"}:
        yield f"its tensors are {shapes}, not those of its run"
    size = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + size]).get("__metadata__", {})
    if about.get("activation", facts.get("model.activation")) != facts.get("model.activation"):
        yield "its activation is not that of its run"


def _not_covered(
    records: Mapping[str, Sequence[Record]], weights: Mapping[str, Path]
) -> Iterator[str]:
    """Yield what the hashes of a study do not cover."""
    each = [record for its in records.values() for record in its]
    without = [record for record in each if recorded_hashes(record.row) is None]
    if without:
        yield (
            f"{len(without)} of {len(each)} records are an earlier version's: their hashes cover "
            "facts, weights and data, not history, predictions, status, epochs and seconds"
        )
    ended = {run for run, its in records.items() if any(r.cell("status") != FAILED for r in its)}
    if bare := len(ended - weights.keys()):
        yield f"{bare} of {len(ended)} runs have no file of weights to compare their hash with"
    for run in sorted(weights.keys() - records.keys()):
        yield f"{weights[run]}: no record of its run"
    for run, its in records.items():
        first, *others = its
        if any(map(first.disagrees, others)):
            yield f"run {run} has records that disagree; read is the one in part {first.part}"
