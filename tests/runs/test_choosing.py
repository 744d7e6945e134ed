"""Runs are chosen by their ids and by facts, and whatever chooses none is refused."""

import pytest

from study.base.errors import BadInput
from study.runs.choosing import chosen
from study.runs.study import Study

STUDY = Study(seeds=2, vary={"data.label_noise": [0, 1], "model.hidden": [[8], [16, 8]]})
RUNS = {run.id: run.facts() for run in STUDY.runs}


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ([], 8),
        (["data.label_noise=1"], 4),
        (["data.label_noise=1.0", "seed=1"], 2),
        (["model.hidden=[16, 8]"], 4),
        (["data.dataset=mnist5k", "stop.train_accuracy=null"], 8),
    ],
)
def test_all_conditions_hold(where, number):
    found = chosen(RUNS, where, [])
    assert len(found) == number
    for condition in where[:1]:
        key = condition.partition("=")[0]
        assert len({str(RUNS[run][key]) for run in found}) == 1


def test_ids_and_conditions_narrow_each_other():
    one, two = [run.id for run in STUDY.runs if run.data.label_noise == 1][:2]
    other = next(run.id for run in STUDY.runs if run.data.label_noise == 0)
    assert chosen(RUNS, ["data.label_noise=1"], [two, other, one]) == [one, two]


@pytest.mark.parametrize(
    ("where", "ids", "line"),
    [
        (["data.label_noise"], [], "expected KEY=VALUE, e.g. data.label_noise=1, found"),
        (["data.labelnoise=1"], [], "did you mean 'data.label_noise'?"),
        (["data.label_noise=0.5"], [], "expected data.label_noise as a run has it: 0.0, 1.0"),
        (["seed=true"], [], "as a run has it: 0, 1, found 'true'"),
        (["model.hidden=[8"], [], "--where, line 1: expected YAML"),
        ([], ["0" * 12], "--run: expected one of 8 recorded runs, found '000000000000'"),
    ],
)
def test_what_chooses_nothing_is_refused_in_one_line(where, ids, line):
    with pytest.raises(BadInput) as fault:
        chosen(RUNS, where, ids)
    assert line in str(fault.value)
    assert "\n" not in str(fault.value)
