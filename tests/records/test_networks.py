"""A trained network comes back from its weights and its run's activation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import study
from study.base.errors import BadInput
from study.records.writing import Folder
from study.runs.run import Run
from study.runs.settings import Model


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    result = Folder(tmp_path / "records", "study")
    result.begin("name: study\n")
    return result


def test_a_weights_file_that_is_damaged_is_refused(folder: Folder) -> None:
    path = folder.path / "weights" / "abc.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"torn")
    with pytest.raises(BadInput, match="a whole weights file"):
        study.load_network(folder.path, "abc")


def test_equal_weights_give_equal_files_and_networks_their_own_activation(folder: Folder) -> None:
    weights = {"0.weight": torch.ones(3, 2), "0.bias": torch.zeros(3)}
    weights |= {"2.weight": torch.ones(1, 3), "2.bias": torch.zeros(1)}
    runs = [Run(model=Model(activation=name)) for name in ("relu", "tanh")]
    for run in runs:
        folder.write_weights(run.id, weights)
        row = {"run": run.id, "facts": json.dumps(run.facts())}
        folder.write_part([row], [{"run": run.id, "epoch": 0}])
    first, second = (folder.weights(run.id).read_bytes() for run in runs)
    assert first == second
    networks = [study.load_network(folder.path, run.id) for run in runs]
    assert [type(network[1]) for network in networks] == [torch.nn.ReLU, torch.nn.Tanh]


def test_weights_without_a_record_are_one_line(folder: Folder) -> None:
    folder.write_weights("abc", {"0.weight": torch.ones(3, 2), "0.bias": torch.zeros(3)})
    with pytest.raises(BadInput, match=r"run_id: expected a run recorded in .*, found 'abc'"):
        study.load_network(folder.path, "abc")


def test_a_network_needs_its_row_and_no_whole_history(folder: Folder) -> None:
    run = Run(model=Model(activation="tanh"))
    layers = {"0.weight": torch.ones(3, 2), "0.bias": torch.zeros(3)}
    folder.write_weights(run.id, {**layers, "2.weight": torch.ones(1, 3), "2.bias": torch.zeros(1)})
    row = {"run": run.id, "facts": json.dumps(run.facts())}
    folder.write_part([row], [{"run": run.id, "epoch": 0}])
    (history,) = (folder.path / "history").iterdir()
    history.write_bytes(history.read_bytes()[:-10])
    assert type(study.load_network(folder.path, run.id)[1]) is torch.nn.Tanh
