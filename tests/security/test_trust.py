"""A results folder is data: what it names is not imported unless the user says --trust."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import DOORS, opened
from safetensors.torch import load_file

import study
from study.base.command import run_command
from study.base.errors import BadInput
from study.base.files import results_folder_of
from study.base.names import ACTIVATION, BACKWARD, DATASET, MEASURE, OPTIMIZER, SCHEDULE
from study.fit import main as fit
from study.records.writing import Folder
from study.runs.command_line import read
from study.runs.config import study_yaml
from study.runs.run import Run
from study.runs.settings import Data, Optimizer
from study.runs.study import Study
from study.verify import main as verify

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"
EVIL = """
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
"""
CALLBACKS = [{"class_path": "evil_of_a_stranger.Callback", "init_args": {"command": "touch ran"}}]


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Put a module where Python finds it, and return what tells whether it has run."""
    (tmp_path / "evil_of_a_stranger.py").write_text(EVIL)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda: (tmp_path / "ran").exists() or "evil_of_a_stranger" in sys.modules
    sys.modules.pop("evil_of_a_stranger", None)


def recorded(tmp_path: Path, run: Run, **more: Any) -> Path:
    """Write a folder with one run, as somebody else might."""
    folder = Folder(tmp_path / "mail", "study")
    folder.begin(study_yaml(Study()))
    facts = run.facts()
    row = {"run": run.id, **facts, "status": "finished", "epochs": 1, "environment": "a" * 12}
    row |= {"facts": json.dumps({**facts, **more}), "data_hash": "", "labels_hash": ""}
    folder.write_part([row], [{"run": run.id, "epoch": 0}])
    return folder.path


def config_of(tmp_path: Path, **settings: Any) -> Path:
    """Write a folder with no run, whose config has these settings by dotted key."""
    folder = tmp_path / "mail"
    (folder / "runs").mkdir(parents=True)
    (folder / "study.yaml").write_text(study_yaml(Study.of(settings), out=True))
    return folder / "study.yaml"


def test_callbacks_among_the_facts_of_a_row_are_refused(
    tmp_path: Path, evil: Callable[[], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    # They are no fact, so that the run's id is right all the same.
    folder = recorded(
        tmp_path, Run(data=Data(dataset="digits")), **{"trainer.callbacks": CALLBACKS}
    )
    for more in ([], ["--trust"]):
        assert verify([str(folder), *more]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "trainer.callbacks: expected facts alone" in line
    assert not evil()


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer.class_path": "evil_of_a_stranger.Opt", "optimizer.lr": 0.1},
        {"data.dataset": "evil_of_a_stranger:source"},
        {"model.activation": "evil_of_a_stranger:silu"},
        {"model.loss": "evil_of_a_stranger:loss"},
        {"data.inputs": "evil_of_a_stranger:inputs"},
        {"optimizer.schedule": {"class_path": "evil_of_a_stranger.S"}},
        {"optimizer.schedule": {"class_path": "torch.hub:load"}},
        {"data.dataset": "torch.hub:load_state_dict_from_url"},
    ],
)
def test_verify_lists_what_it_would_import_and_imports_nothing(
    settings: dict[str, Any],
    tmp_path: Path,
    evil: Callable[[], bool],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run.of({"data.dataset": "digits", **settings})
    folder = recorded(tmp_path, run)
    assert verify([str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    (name,) = run.untrusted()
    assert line.endswith(f"--trust would import {name}")
    for door in DOORS:
        opened(door, folder)
    assert not evil()


def test_verify_imports_what_the_user_trusts(
    tmp_path: Path, evil: Callable[[], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(data=Data(dataset="digits"), optimizer=Optimizer("evil_of_a_stranger.Opt"))
    folder = recorded(tmp_path, run)
    environment = next((FORMAT1 / "environment").iterdir())
    (folder / "environment").mkdir()
    shutil.copy(environment, folder / "environment" / f"{'a' * 12}.json")
    assert verify([str(folder), "--trust"]) == 2
    assert "evil_of_a_stranger has no Opt" in capsys.readouterr().err
    assert evil()


@pytest.mark.parametrize(
    "settings",
    [
        {"trainer.callbacks": CALLBACKS},
        {"trainer.logger": CALLBACKS},
        {"trainer.callbacks": [{"class_path": "pytorch_lightning.callbacks.ModelCheckpoint"}]},
        {"measures": ["evil_of_a_stranger:measure"]},
        {"optimizer.class_path": "evil_of_a_stranger.Opt"},
        {"vary.model.activation": ["relu", "evil_of_a_stranger:silu"]},
    ],
)
@pytest.mark.parametrize("more", [[], ["--plan"], ["--seeds", "2"]])
def test_a_config_in_a_results_folder_needs_trust(
    settings: dict[str, Any],
    more: list[str],
    tmp_path: Path,
    evil: Callable[[], bool],
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = config_of(tmp_path, **settings)
    out = ["--out", str(config.parent)]
    assert fit(["--config", str(config), *out, *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--trust would import " in line
    (tmp_path / "link.yaml").symlink_to(config)
    assert fit(["--config", str(tmp_path / "link.yaml"), *out, *more]) == 2
    assert not evil()
    assert read(["--config", str(config), *out, "--trust"]).study.untrusted()


def test_a_config_that_the_user_wrote_needs_none(tmp_path: Path) -> None:
    mine = tmp_path / "study.yaml"
    mine.write_text("optimizer: {class_path: mine.Optimizer}\ndata: {dataset: digits}\n")
    assert read(["--config", str(mine)]).study.untrusted() == {"mine.Optimizer"}


def test_torch_s_own_optimizers_and_schedules_need_none(tmp_path: Path) -> None:
    schedule = {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 1}}
    chosen = {"optimizer.class_path": "torch.optim.SGD", "optimizer.schedule": schedule}
    config = config_of(tmp_path, **chosen, **{"data.dataset": "digits"})
    assert not read(["--config", str(config)]).study.untrusted()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (OPTIMIZER, "torch.optim:optimizer.warnings"),
        (OPTIMIZER, "torch.optimistic.SGD"),
        (OPTIMIZER, "torch.hub.load"),
        (OPTIMIZER, "torch.optim"),
        (OPTIMIZER, "os.system"),
        (OPTIMIZER, "x.torch.optim.SGD"),
        (SCHEDULE, "torch.optim.lr_scheduler.warnings"),
        (SCHEDULE, "torch.optim.lr_scheduler:types.MethodType"),
        (DATASET, "torch.optim:SGD"),
        (ACTIVATION, "torch.nn:ReLU"),
        (BACKWARD, "torch.hub:load"),
        (MEASURE, "reports.read:read"),
    ],
)
def test_what_else_torch_has_needs_trust(kind: Any, name: str) -> None:
    assert kind.needs_trust(name)


def test_records_go_where_the_user_says_not_where_a_folder_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(tmp_path, out=str(tmp_path / "elsewhere"), **{"data.dataset": "digits"})
    assert fit(["--config", str(config), "--plan"]) == 2
    assert "expected no out in a results folder" in capsys.readouterr().err
    assert read(["--config", str(config), "--out", str(tmp_path / "mine")]).out.name == "mine"


def test_the_import_path_loses_results_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path, **{"data.dataset": "digits"})
    monkeypatch.chdir(config.parent / "runs")
    added = ["", str(config.parent), "runs/..", str(tmp_path)]
    monkeypatch.setattr(sys, "path", [*added, *sys.path])
    assert run_command(lambda argv: 0, [], "study.status") == 0
    assert sys.path[0] == str(tmp_path)
    assert results_folder_of(Path()) == config.parent


def test_a_network_with_an_activation_from_outside_needs_trust(
    tmp_path: Path, evil: Callable[[], bool]
) -> None:
    run = Run.of({"data.dataset": "digits", "model.activation": "evil_of_a_stranger:silu"})
    folder = recorded(tmp_path, run)
    weights = load_file(next((FORMAT1 / "weights").iterdir()))
    Folder(folder, "study").write_weights(run.id, weights)
    names = "evil_of_a_stranger:silu"
    with pytest.raises(BadInput, match=f"--trust would import {names}"):
        study.load_network(folder, run.id)
    assert not evil()
    with pytest.raises(BadInput, match="has no silu"):
        study.load_network(folder, run.id, trust=True)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".", "a\0b"])
def test_a_run_s_name_is_no_path(name: str) -> None:
    with pytest.raises(BadInput, match="run_id: expected weights of one of 4 runs"):
        study.load_network(FORMAT1, name)
