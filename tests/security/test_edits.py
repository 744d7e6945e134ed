"""Whatever is edited in a results folder is found, and nothing is trained or imported for it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import study
from study.base.text import counted
from study.fit import main as fit
from study.records.checking import check
from study.records.hashes import HASHES, with_hashes
from study.records.parquet import parquet, read_part
from study.verify import main

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"
CONFIG = """
name: edited
seeds: 3
data: {dataset: digits, train_examples: 300, inputs: "fails_for_seed_2:inputs"}
model: {hidden: [16]}
trainer: {max_epochs: 2}
wandb: {mode: off}
"""
OWN = """
def inputs(pixels, seed, stream, mean, deviation):
    if seed == 2:
        raise ZeroDivisionError("no images for seed 2")
    return pixels
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train two runs, and one that fails; add a measure's columns later."""
    place = tmp_path_factory.mktemp("edits")
    (place / "study.yaml").write_text(CONFIG)
    (place / "fails_for_seed_2.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        argv = ["--config", str(place / "study.yaml"), "--out", str(place / "out")]
        assert fit(argv) == 1
        assert fit([*argv, "--measures", "[gradient_probe, weight_norms]"]) == 1
        sys.modules.pop("fails_for_seed_2")
    return place / "out"


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder, to edit."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_an_untouched_folder_has_no_faults(whole: Path) -> None:
    found = check(whole)
    assert found.runs == 3
    assert found.faults == []
    assert found.notes == []
    kinds = {path.parent.name for path in whole.rglob("*.parquet")}
    assert kinds == {"runs", "history", "answers", "measures"}
    assert set(study.load(whole).runs["status"]) == {"finished", "failed"}


def test_checking_imports_neither_torch_nor_what_the_folder_names(whole: Path) -> None:
    code = "import sys; from study.verify import main; status = main(sys.argv[1:]); "
    code += "sys.exit(status or ('torch' in sys.modules) or ('fails_for_seed_2' in sys.modules))"
    argv = [sys.executable, "-c", code, str(whole), "--records"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "records of 3 runs: everything that has a hash agrees with it\n"


# What passed before there were hashes.


def tables(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).glob("*.parquet"))


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a table, but neither its metadata nor its name."""
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)


def cell(table: pa.Table, row: int, column: str, value: object) -> pa.Table:
    """Return a table with one cell of another value."""
    index, cells = table.column_names.index(column), table[column].to_pylist()
    cells[row] = value
    kind = table.schema.types[index]
    array = pa.array(cells, None if pa.types.is_null(kind) else kind)
    return table.set_column(index, column, array)


def absurd_tolerance(folder: Path) -> None:
    for path in (folder / "environment").iterdir():
        path.write_text(json.dumps({**json.loads(path.read_text()), "tolerance": 1e9}))


def zeroed_hash(folder: Path) -> None:
    for path in tables(folder, "runs"):
        rewrite(path, lambda table: cell(table, 0, "weights_hash", "0" * 64))


def edited_accuracy(folder: Path) -> None:
    for path in tables(folder, "history"):
        if len(pq.read_table(path)):
            rewrite(path, lambda table: cell(table, 2, "test_accuracy", 0.99))


def columns_removed(folder: Path) -> None:
    for path in tables(folder, "history"):
        rewrite(path, lambda table: table.drop_columns(table.column_names[3:]))


def swapped_weights(folder: Path) -> None:
    one, two, *_ = sorted((folder / "weights").iterdir())
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


EDITS = [absurd_tolerance, zeroed_hash, edited_accuracy, columns_removed, swapped_weights]


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_that_once_passed_is_found(
    edit: Callable[[Path], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(folder)
    capsys.readouterr()
    assert main([str(folder), "--records"]) == 1
    *faults, last = capsys.readouterr().out.splitlines()
    assert last == f"records of 3 runs: {counted(len(faults), 'fault')}"


@pytest.mark.parametrize("edit", [absurd_tolerance, zeroed_hash, swapped_weights])
def test_in_the_first_format_hashes_find_what_they_cover(
    edit: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(FORMAT1, tmp_path / "copy"))
    assert not check(folder).faults
    edit(folder)
    assert check(folder).faults


@pytest.mark.parametrize("edit", [edited_accuracy, columns_removed])
def test_in_the_first_format_a_new_training_finds_or_names_the_rest(
    edit: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(FORMAT1, tmp_path / "copy"))
    edit(folder)
    run = pq.read_table(tables(folder, "history")[0])["run"][2].as_py()
    status = main([str(folder), "--run", run])
    said = capsys.readouterr().out
    assert "not covered: 4 of 4 records are an earlier version's" in said
    if edit is edited_accuracy:
        assert status == 1
        assert "NOT within the declared tolerance of 0: differs in history (by" in said
    else:
        assert status == 0
        assert "train_squared_error (not recorded)" in said


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [("runs", "epochs_to_fit", 1), ("runs", "status", "fitted"), ("predictions", "said", 11)],
)
def test_a_new_training_finds_what_the_first_format_has_no_hash_of(
    kind: str,
    column: str,
    value: object,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(FORMAT1, tmp_path / "copy"))
    (path,) = tables(folder, kind)
    rewrite(path, lambda table: cell(table, 0, column, value))
    run = pq.read_table(path)["run"][0].as_py()
    assert main([str(folder), "--run", run, "--trust"]) == 1
    what = "predictions" if kind == "predictions" else column
    assert what in capsys.readouterr().out.splitlines()[2]


# Any edit at all.


@contextlib.contextmanager
def restored(path: Path) -> Iterator[None]:
    before = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(before)


def another(draw: st.DrawFn, value: Any, kind: pa.DataType) -> Any:
    """Draw another value for a cell of a type."""
    if value is not None and draw(st.integers(0, 9)) == 0:
        return None
    if pa.types.is_list(kind):
        if not value or draw(st.booleans()):
            return [*(value or []), 1]
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], another(draw, value[at], kind.value_type) or 0, *value[at + 1 :]]
    if pa.types.is_boolean(kind):
        return not value
    if pa.types.is_integer(kind):
        most = 2 ** (kind.bit_width - 1) - 1
        return draw(st.integers(0, most).filter(lambda each: each != value))
    if pa.types.is_floating(kind):
        drawn = st.floats(width=kind.bit_width)
        return draw(drawn.filter(lambda new: new != value and not (new != new and value != value)))
    text = st.text(st.characters(codec="utf-8"), max_size=8)
    changed = st.builds(lambda a, b: f"{a}{value or ''}{b}", text, text)
    return draw(changed.filter(lambda new: new != value))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_one_cell_that_is_edited_is_found(data: st.DataObject, whole: Path) -> None:
    paths = [path for path in sorted(whole.rglob("*.parquet")) if len(pq.read_table(path))]
    path = data.draw(st.sampled_from(paths))
    table = pq.read_table(path)
    column = data.draw(st.sampled_from(table.column_names))
    row = data.draw(st.integers(0, len(table) - 1))
    before = table[column][row].as_py()
    value = another(data.draw, before, table.schema.field(column).type)
    if repr(value) == repr(before):
        return
    with restored(path):
        rewrite(path, lambda table: cell(table, row, column, value))
        assert check(whole).faults, f"{path.parent.name} {column}: {before!r} became {value!r}"


def _rows(path: Path) -> int:
    return len(pq.read_table(path))


@pytest.mark.slow
def test_any_column_or_row_that_is_taken_away_is_found(whole: Path) -> None:
    paths = {path.parent: path for path in sorted(whole.rglob("*.parquet"), key=_rows)}
    failed = set(study.load(whole).runs.query("status == 'failed'")["run"])
    for path in paths.values():
        table = pq.read_table(path)
        for name in table.column_names:
            if table[name].null_count < len(table):  # nothing is lost with an empty one
                with restored(path):
                    rewrite(path, lambda table, name=name: table.drop_columns([name]))
                    assert check(whole).faults, f"{path.parent.name} without {name}"
        # A failed run has a row alone: without it nothing of the run is recorded.
        for row in [row for row in (0, len(table) - 1) if table["run"][row].as_py() not in failed]:
            with restored(path):
                rewrite(path, lambda t, row=row: t.take([i for i in range(len(t)) if i != row]))
                assert check(whole).faults, f"{path.parent.name} without row {row}"
            with restored(path):
                rewrite(path, lambda table, row=row: pa.concat_tables([table, table.slice(row, 1)]))
                assert check(whole).faults, f"{path.parent.name} with row {row} twice"


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_byte_that_is_changed_in_another_file_is_found(
    data: st.DataObject, whole: Path
) -> None:
    paths = [*(whole / "environment").iterdir(), *(whole / "images").iterdir()]
    path = data.draw(st.sampled_from(sorted([*paths, *(whole / "weights").iterdir()])))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if content[at] == ord(" "):  # what stands between words in JSON decides nothing
        return
    content[at] ^= data.draw(st.integers(1, 255))
    with restored(path):
        path.write_bytes(content)
        assert check(whole).faults, f"{path.parent.name}, byte {at}"


def test_another_shape_type_or_activation_of_the_same_weights_is_found(folder: Path) -> None:
    path, *_ = sorted((folder / "weights").iterdir())
    tensors = load_file(path)
    assert tensors["2.weight"].shape == (10, 16)
    changes = [
        ({**tensors, "2.weight": tensors["2.weight"].reshape(16, 10)}, {}),
        ({**tensors, "2.bias": tensors["2.bias"].view("int32")}, {}),
        (tensors, {"activation": "tanh"}),
    ]
    for changed, metadata in changes:
        save_file(changed, path, metadata)
        (fault,) = check(folder).faults
        assert fault.startswith(f"{path}: its ")


def test_a_missing_environment_or_image_and_another_source_are_found(folder: Path) -> None:
    for kind in ("environment", "images"):
        for path in (folder / kind).iterdir():
            path.unlink()
    (folder / "sources" / "digits.json").write_text(json.dumps({"sha256": "0" * 64}))
    faults = " ".join(check(folder).faults)
    for said in ("environment", "images", "not that of digits in sources/"):
        assert said in faults


def test_checksums_of_data_that_were_removed_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / "sources")
    assert main([str(folder), "--records"]) == 0
    line, last = capsys.readouterr().out.splitlines()
    said = "missing, so nothing says with which data the study began"
    assert line == f"not covered: {folder / 'sources' / 'digits.json'}: {said}"
    assert last == "records of 3 runs: everything that has a hash agrees with it"


def test_one_fault_is_counted_as_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, *_ = sorted((folder / "images").iterdir())
    path.write_bytes(path.read_bytes() + b"more")
    assert main([str(folder), "--records"]) == 1
    fault, last = capsys.readouterr().out.splitlines()
    assert fault == f"{path}: differs from the hash that it is named by"
    assert last == "records of 3 runs: 1 fault"


def test_hashes_that_are_taken_from_every_row_are_missed(folder: Path) -> None:
    for path in tables(folder, "runs"):
        rewrite(path, lambda table: table.drop_columns([HASHES]))
    faults = set(check(folder).faults)
    assert faults == {
        f"run {run}: its hashes are missing" for run in study.load(folder).runs["run"]
    }


def test_whoever_rewrites_the_hashes_too_is_not_found_without_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited_accuracy(folder)
    for path in tables(folder, "runs"):
        rows, history, answers = (
            read_part(folder / kind / path.name) for kind in ("runs", "history", "answers")
        )
        assert rows is not None
        assert history is not None
        path.write_bytes(parquet(with_hashes(rows.drop_columns([HASHES]), history, answers)))
    assert not check(folder).faults
    histories = [pq.read_table(path)["run"].to_pylist() for path in tables(folder, "history")]
    run = next(runs[2] for runs in histories if runs)
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent)
        (folder.parent / "fails_for_seed_2.py").write_text(OWN)
        assert main([str(folder), "--run", run, "--trust"]) == 1
    assert "differs in history" in capsys.readouterr().out
