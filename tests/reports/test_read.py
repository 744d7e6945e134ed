"""Reports read the records of this version and of earlier ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.read import exact_gradient, read
from study.records.writing import Folder
from study.runs.config import study_yaml
from study.runs.study import Study
from study.terminal.arms import arm_label

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"


def test_the_exact_gradient_is_taken_where_there_is_one_and_the_earlier_one_elsewhere() -> None:
    history = pd.DataFrame(
        {
            "gradient_exact_cosine": [0.5, np.nan],
            "gradient_exact_norm": [2.0, np.nan],
            "gradient_cosine": [np.nan, 0.25],
        }
    )
    found = exact_gradient(history)
    assert found["cosine"].tolist() == [0.5, 0.25]
    assert found["norm"][0] == 2
    assert np.isnan(found["norm"][1])


def test_a_folder_of_an_earlier_version_has_its_own_gradient() -> None:
    history = read([FORMAT1]).history
    found = exact_gradient(history)
    assert found["cosine"].tolist() == history["gradient_cosine"].tolist()
    assert found["norm"].tolist() == history["gradient_true_norm"].tolist()


@pytest.mark.parametrize("apart", [False, True])
def test_arms_have_the_names_that_the_terminal_gives_them(apart: bool, tmp_path: Path) -> None:
    decay = {"class_path": "torch.optim.lr_scheduler.ExponentialLR", "init_args": {"gamma": 0.9}}
    vary = {
        "optimizer.schedule": [None, decay],
        "stop.train_accuracy": [None, 1],
        "model.hidden": [[8], []],
        "optimizer.fused": [True, False],
    }
    study = Study(name="made", vary=vary)
    folder = Folder(tmp_path / "made", study.name)
    folder.begin(study_yaml(study))
    parts = [[run] for run in study.runs] if apart else [study.runs]
    for runs in parts:
        rows = [
            {"run": run.id, **run.facts(), "facts": json.dumps(run.facts()), "status": "finished"}
            for run in runs
        ]
        folder.write_part(rows, [{"run": run.id, "epoch": 0} for run in runs])
    found = read([tmp_path / "made"]).runs.set_index("run")["arm"].to_dict()
    assert found == {run.id: arm_label(study.arm(run)) for run in study.runs}
    assert not [arm for arm in found.values() if "None" in arm]
