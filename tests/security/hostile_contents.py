"""What a stranger may write into a file of a study that has the right form."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hostile_places import Damage

# What a file of the right form may hold.


def text(content: str) -> Damage:
    return lambda path: path.write_text(content) and None


def changed_yaml(old: str, new: str) -> Damage:
    def change(path: Path) -> None:
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new, 1))

    return change


def changed_json(**values: Any) -> Damage:
    def change(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def appended_json(**values: Any) -> Damage:
    def change(path: Path) -> None:
        with path.open("a") as file:
            file.write(json.dumps(values) + "\n")

    return change


def changed_table(change: Callable[[pa.Table], pa.Table]) -> Damage:
    def write(path: Path) -> None:
        table = pq.read_table(path)
        new = change(table.replace_schema_metadata(None))
        pq.write_table(new.replace_schema_metadata(table.schema.metadata), path)

    return write


def column(name: str, values: Any, kind: Any = None) -> Damage:
    """Give a column one value in every row, or values that are made of the rows' number."""

    def change(table: pa.Table) -> pa.Table:
        made = values(len(table)) if callable(values) else [values] * len(table)
        made = pa.array(made, kind)
        if name not in table.column_names:
            return table.append_column(name, made)
        return table.set_column(table.column_names.index(name), name, made)

    return changed_table(change)


def without(name: str) -> Damage:
    return changed_table(lambda table: table.drop_columns([name]))


def bomb(path: Path) -> None:
    """Let a file of some kilobytes unpack to gigabytes of equal rows."""
    table = pa.table({"run": np.zeros(2**26, np.uint8)})
    pq.write_table(table.replace_schema_metadata({"study.format": "1"}), path)


def long_text_bomb(path: Path) -> None:
    """Let one text of a megabyte stand in a file once and in a hundred thousand rows."""
    table = pq.read_table(path)
    rows = table.take(np.zeros(10**5, int))
    long = pa.DictionaryArray.from_arrays(np.zeros(10**5, np.int32), pa.array(["x" * 2**20]))
    rows = rows.append_column("long", long)
    pq.write_table(rows.replace_schema_metadata(table.schema.metadata), path)


def list_bomb(path: Path) -> None:
    """Let one row hold a list of 67 million equal numbers."""
    table = pq.read_table(path)
    values = pa.array(np.zeros(2**26, np.uint8))
    one = pa.ListArray.from_arrays(pa.array([0, 2**26], pa.int32()), values)
    made = pa.table({"run": table["run"][:1], "long": one})
    pq.write_table(made.replace_schema_metadata(table.schema.metadata), path)


def facts(**values: Any) -> Damage:
    def change(table: pa.Table) -> pa.Table:
        new = [json.dumps({**json.loads(each.as_py()), **values}) for each in table["facts"]]
        return table.set_column(table.column_names.index("facts"), "facts", pa.array(new))

    return changed_table(change)


def images(shape: tuple[int, ...], kind: str = "|u1") -> Damage:
    """Let an image file promise a shape."""

    def write(path: Path) -> None:
        header = repr({"descr": kind, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
        packed = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
        path.write_bytes(packed + b"\0" * 64)

    return write


ALIASES = "name: x\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else '1'}]\n" for n in range(12)
)
DEEP = "[" * 10**5
SETTINGS = ("data", "model", "trainer", "optimizer", "stop", "wandb")
CONTENTS: dict[str, tuple[str, Damage]] = {
    "yaml aliases": ("study.yaml", text(ALIASES)),
    "yaml deep": ("study.yaml", text(f"name: {DEEP}")),
    "yaml tag": ("study.yaml", text("name: !!python/object/apply:os.system [touch ran]")),
    "yaml list": ("study.yaml", text("- name")),
    "yaml null": ("study.yaml", text("")),
    "yaml binary": ("study.yaml", lambda path: path.write_bytes(b"name: \xff") and None),
    "yaml name number": ("study.yaml", changed_yaml("name: small", "name: 1")),
    "yaml name path": ("study.yaml", changed_yaml("name: small", "name: ../../x")),
    "yaml vary text": ("study.yaml", changed_yaml("data.label_noise:\n", "a: b\n  data.inputs:\n")),
    "yaml vary list": ("study.yaml", text("name: small\nvary: [1]")),
    "yaml vary optimizer": ("study.yaml", text("name: a\nvary: {optimizer: [1, [2], {3: 4}]}")),
    "yaml many seeds": ("study.yaml", changed_yaml("seeds: 2", "seeds: 1000000000")),
    "yaml long training": (
        "study.yaml",
        changed_yaml("max_epochs: 1\n", "max_epochs: 100000000\n"),
    ),
    **{f"yaml {key} text": ("study.yaml", text(f"name: small\n{key}: text")) for key in SETTINGS},
    **{f"yaml {key} list": ("study.yaml", text(f"name: small\n{key}: [1]")) for key in SETTINGS},
    "yaml callbacks": (
        "study.yaml",
        changed_yaml("callbacks: []", "callbacks: [{class_path: a}]"),
    ),
    "environment deep": ("environment/*", text(DEEP)),
    "environment list": ("environment/*", text("[]")),
    "environment empty": ("environment/*", text("{}")),
    "environment many threads": ("environment/*", changed_json(threads=10**6)),
    "environment no threads": ("environment/*", changed_json(threads=None)),
    "environment packages": ("environment/*", changed_json(packages=3)),
    "environment processor": ("environment/*", changed_json(processor=[1])),
    "environment routes": ("environment/*", changed_json(routes=[1])),
    "environment tolerance": ("environment/*", changed_json(tolerance="x")),
    "environment stacking": ("environment/*", changed_json(stacking={})),
    "environment engine": ("environment/*", changed_json(engine=[])),
    "progress deep": ("progress/*", text(DEEP + "\n")),
    "progress list": ("progress/*", text("[]\n")),
    "progress long line": ("progress/*", text("x" * 2**22)),
    "progress epoch": ("progress/*", appended_json(runs={"0" * 12: 10**9}, state="training")),
    "progress huge epoch": ("progress/*", appended_json(runs={"0" * 12: 10**400})),
    "progress seconds": ("progress/*", appended_json(seconds=1e-320, epochs=10**6)),
    "progress nan": ("progress/*", appended_json(seconds=float("nan"))),
    "progress state": ("progress/*", appended_json(state=["x"])),
    "progress runs": ("progress/*", appended_json(runs={"../x": 1})),
    "progress rows": ("progress/*", appended_json(rows=[{"run": ["x"], "epoch": {}}, 1, None])),
    "progress row epoch": ("progress/*", appended_json(rows=[{"run": "x", "epoch": 10**9}])),
    "progress row text": ("progress/*", appended_json(rows=[{"run": "x", "epoch": 1, "a": "b"}])),
    "progress row huge": (
        "progress/*",
        appended_json(rows=[{"run": "x", "epoch": 1, "a": 9**30}]),
    ),
    "images promised": ("images/*", images((2**40, 2**20))),
    "images objects": ("images/*", images((1, 8), "|O")),
    "images floats": ("images/*", images((2, 4), "<f8")),
    "images cube": ("images/*", images((2, 4, 8))),
    "images line": ("images/*", images((64,))),
    "weights header": ("weights/*", lambda path: path.write_bytes(b"\xff" * 64) and None),
    "sources deep": ("sources/*", text(DEEP)),
    "claims deep": ("claims.json", text(DEEP)),
    "claims list": ("claims.json", text('{"date": [], "ledgers": [{"claims": []}]}')),
    "routes list": ("routes/*", text("[1]")),
    "runs null ids": ("runs/*", column("run", None, pa.string())),
    "runs equal ids": ("runs/*", column("run", "0" * 12)),
    "runs numbers as ids": ("runs/*", column("run", range)),
    "runs paths as ids": ("runs/*", column("run", lambda n: [f"../../x{i}" for i in range(n)])),
    "runs environment path": ("runs/*", column("environment", "../../secret")),
    "runs environment null": ("runs/*", column("environment", None, pa.string())),
    "runs status null": ("runs/*", column("status", None, pa.string())),
    "runs status other": ("runs/*", column("status", "\x1b[31m")),
    "runs seed text": ("runs/*", column("seed", "a")),
    "runs seed negative": ("runs/*", column("seed", -1)),
    "runs seed real": ("runs/*", column("seed", 0.5)),
    "runs epochs null": ("runs/*", column("epochs", None, pa.int64())),
    "runs epochs huge": ("runs/*", column("epochs", 10**9)),
    "runs seconds text": ("runs/*", column("seconds", "a")),
    "runs noise list": ("runs/*", column("data.label_noise", [1, 2])),
    "runs noise text": ("runs/*", column("data.label_noise", "a")),
    "runs noise bool": ("runs/*", column("data.label_noise", True)),
    "runs error number": ("runs/*", column("error", 3)),
    "runs image shape": ("runs/*", column("image_shape", DEEP)),
    "runs data hash": ("runs/*", column("data_hash", 3)),
    "runs history's column": ("runs/*", column("test_accuracy", "a")),
    "runs arm": ("runs/*", column("arm", "a")),
    "runs facts deep": ("runs/*", column("facts", DEEP)),
    "runs facts list": ("runs/*", column("facts", "[]")),
    "runs facts null": ("runs/*", column("facts", None, pa.string())),
    "runs facts callbacks": ("runs/*", facts(**{"trainer.callbacks": [{"class_path": "a.b"}]})),
    "runs facts optimizer": ("runs/*", facts(**{"optimizer.class_path": "evil.Opt"})),
    "runs facts nested": ("runs/*", facts(**{"data": {"dataset": 1}, "model.hidden": [[1]]})),
    "runs facts unknown": ("runs/*", facts(unknown=1)),
    "runs bomb": ("runs/*", bomb),
    "runs text bomb": ("runs/*", long_text_bomb),
    "runs list bomb": ("runs/*", list_bomb),
    **{
        f"runs without {name}": ("runs/*", without(name))
        for name in (
            *("run", "seed", "status", "facts", "environment", "epochs", "seconds", "parameters"),
            *("data.label_noise", "data.dataset", "data_hash", "weights_hash", "epochs_to_fit"),
            *("error", "model.backward", "trainer.max_epochs"),
        )
    },
    "history null ids": ("history/*", column("run", None, pa.string())),
    "history numbers as ids": ("history/*", column("run", range)),
    "history equal epochs": ("history/*", column("epoch", 0)),
    "history late epochs": ("history/*", column("epoch", lambda n: range(10**9, 10**9 + n))),
    "history endless epochs": ("history/*", column("epoch", 2**62)),
    "history real epochs": ("history/*", column("epoch", 1e9)),
    "history null epochs": ("history/*", column("epoch", None, pa.int64())),
    "history text": ("history/*", column("test_accuracy", "a")),
    "history lists": ("history/*", column("test_accuracy", [1.0])),
    "history seed": ("history/*", column("seed", 1)),
    "history arm": ("history/*", column("arm", 1)),
    "history fact": ("history/*", column("data.label_noise", 1)),
    "history infinite": ("history/*", column("test_accuracy", float("inf"))),
    "history bomb": ("history/*", bomb),
    "history without run": ("history/*", without("run")),
    "history without epoch": ("history/*", without("epoch")),
    "history without accuracy": ("history/*", without("test_accuracy")),
    "answers null ids": ("answers/*", column("run", None, pa.string())),
    "answers lists": ("answers/*", column("said", 3)),
    "answers null lists": ("answers/*", column("said", None, pa.list_(pa.uint8()))),
    "answers unequal lists": ("answers/*", column("confidence", [[0.5] * 3][0])),
    "answers part": ("answers/*", column("part", 3)),
    "answers at": ("answers/*", column("at", [1])),
    "answers epoch": ("answers/*", column("epoch", 10**9)),
    "answers images": ("answers/*", column("images", 3)),
    "answers bomb": ("answers/*", list_bomb),
    **{
        f"answers without {name}": ("answers/*", without(name))
        for name in ("run", "part", "at", "epoch", "said", "images", "label")
    },
    "measures text": ("measures/*", column("weights_norm", "a")),
    "measures ids": ("measures/*", column("run", "x")),
    "measures bomb": ("measures/*", bomb),
    "measures without run": ("measures/*", without("run")),
    "measures without epoch": ("measures/*", without("epoch")),
}
