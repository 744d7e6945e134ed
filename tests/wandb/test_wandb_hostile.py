"""Hostile files of W&B runs: each gives one line that names the file, and the rest is read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wandb_client import equal, fit, online_config, study_wandb

from study.base.errors import BadInput
from study.runs.run import Run
from study.wandb.content import Fetched
from study.wandb.ledger import FINISHED, Ledger
from study.wandb.offline import MAGIC, read_all_offline, records
from study.wandb.restore import restore


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a study whose runs are written as W&B's files, and return its folder."""
    place = tmp_path_factory.mktemp("written")
    fit(None, online_config(place), place / "out", "--wandb.mode", "offline")
    return place / "out"


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def fifo(path: Path) -> None:
    """Put a pipe that nobody writes to in a file's place."""
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    """Put a link to a copy outside in a file's place."""
    moved = shutil.move(path, path.parents[3] / "elsewhere")
    path.symlink_to(moved)


def huge(path: Path) -> None:
    """Let a file seem to have a terabyte."""
    with path.open("ab") as file:
        file.truncate(2**40)


def folder(path: Path) -> None:
    """Put a folder in a file's place."""
    path.unlink()
    path.mkdir()


def of_log(content: bytes) -> bytes:
    """Return a log with one record, rightly summed."""
    checksum = zlib.crc32(content, zlib.crc32(b"\x01"))
    return MAGIC + bytes(3) + struct.pack("<IHB", checksum, len(content), 1) + content


def other(path: Path) -> None:
    """Write a record that is none of W&B's."""
    path.write_bytes(of_log(b"\xff" * 20))


def short(path: Path) -> None:
    """Cut a file off."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


LOG, PREDICTIONS, IMAGE = "*.wandb", "files/predictions.parquet", "files/images/*.npy"


@pytest.mark.parametrize("damage", [flip, fifo, link, huge, folder, other, short])
@pytest.mark.parametrize("name", [LOG, PREDICTIONS, IMAGE])
def test_a_hostile_file_is_one_line_and_the_rest_is_read(
    name: str,
    damage: Callable[[Path], None],
    written: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "wandb"
    shutil.copytree(written / "wandb", place)
    path = sorted(place.glob(f"offline-run-*/{name}"))[0]
    damage(path)
    assert study_wandb("read", str(place), "--out", str(tmp_path / "out")) == 0
    said = capsys.readouterr()
    assert "3 runs" in said.out
    [line] = said.err.splitlines()
    assert str(path if name != IMAGE else path.parents[2]) in line


def test_nothing_is_lost_where_no_file_is_hostile(written: Path, tmp_path: Path) -> None:
    assert study_wandb("read", str(written), "--out", str(tmp_path / "out")) == 0
    equal(written, tmp_path / "out")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=9), each),
    max_leaves=5,
)
KEYS = ("run", "study", "evaluate_every", "parameters", "data_hash", "labels_hash", "record")
OF_RECORD = ("facts", "environment", "study", "image_shape", "classes", "outside")
OF_SUMMARY = ("status", "epoch", "epochs", "epochs_to_fit", "seconds", "weights_hash")


@given(
    config=st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS[:-1], JSON)),
    record=st.fixed_dictionaries({}, optional=dict.fromkeys(OF_RECORD, JSON)),
    summary=st.fixed_dictionaries({}, optional=dict.fromkeys(OF_SUMMARY, JSON)),
    rows=st.lists(st.dictionaries(st.sampled_from(["epoch", "train_accuracy"]), JSON), max_size=3),
)
@settings(max_examples=50, deadline=None)
def test_wrong_types_anywhere_leave_the_run_out(
    config: dict[str, object],
    record: dict[str, object],
    summary: dict[str, object],
    rows: list[dict[str, object]],
    written: Path,
) -> None:
    good = next(read_all_offline(str(written)))
    bad = Fetched(
        "bad",
        {**good.config, **config, "record": {**good.config["record"], **record}},
        good.history + rows,
        {**good.summary, **summary},
        good.predictions,
        good.images,
    )
    left_out: list[str] = []
    out = written.parent / "hostile"
    try:
        _, number = restore([bad, good], out, left_out.append)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    assert number + len(left_out) == 2
    assert all("\n" not in line for line in left_out)


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/b", ".hidden", "a\nb"])
def test_a_study_s_name_is_never_a_path(
    name: str, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "here" / "there"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    good = next(read_all_offline(str(written)))
    record = {**good.config["record"], "study": good.config["record"]["study"]}
    record["study"] = record["study"].replace("name: small", f"name: {name!r}")
    bad = good._replace(config={**good.config, "study": name, "record": record})
    left_out: list[str] = []
    with pytest.raises(ValueError, match="found 0"):
        restore([bad], None, left_out.append)
    assert len(left_out) == 1
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["here", "there"]


def test_nothing_that_a_run_s_config_names_is_imported(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hostile_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    good = next(read_all_offline(str(written)))
    facts = json.loads(good.config["record"]["facts"])
    named = ("data.dataset", "data.label_scheme", "model.activation", "model.loss")
    for key in [*(key for key in named if key in facts), "optimizer.class_path"]:
        spelled = "hostile_module.Thing" if "optimizer" in key else "hostile_module:thing"
        run = Run.of({**facts, key: spelled})
        record = {**good.config["record"], "facts": json.dumps(run.facts())}
        config = {**good.config, "run": run.id, "record": record}
        _, number = restore(
            [good._replace(config=config, predictions=[])], tmp_path / key, lambda line: None
        )
        assert number == 1


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_bytes_are_records_or_bad_input_but_no_traceback(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "run-a.wandb"
        for whole in (content, MAGIC + bytes(3) + content, of_log(content)):
            path.write_bytes(whole)
            with contextlib.suppress(BadInput):
                list(records(path))


@pytest.mark.parametrize("damage", [fifo, link, huge, folder])
def test_what_the_folder_says_of_the_server_is_read_from_files_alone(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    ledger = Ledger(tmp_path / "mail" / "out")
    ledger.folder.mkdir(parents=True)
    ledger.note("a", "a", FINISHED)
    assert ledger.published() == {"a"}
    damage(ledger.folder / "online" / "a.json")
    assert ledger.published() == set()
