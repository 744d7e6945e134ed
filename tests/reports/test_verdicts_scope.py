"""A claim compares the runs that its config registers; others have rows of their own."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from arms import ARMS, A, B, claim, verdict
from records import records

from reports.claims import Claim
from reports.tables import judged_runs, verdict_table
from reports.verdicts import INCONCLUSIVE, REFUTED, SUPPORTED, judge_all
from study.base.errors import BadInput
from study.runs.command_line import read

TIMES = Claim(
    "t",
    "Random labels take longer.",
    "epochs_to_fit",
    a={"data.label_noise": 1},
    b={"data.label_noise": 0},
    effect="ratio",
    within=(4, 10),
)


def fitted(seed: int, facts: Any) -> dict[str, Any]:
    """Return times to fit with a factor of 6.4, and of 1 where 2 epochs were all there was."""
    if facts.get("trainer.max_epochs") == 2:
        return {"epochs_to_fit": 2, "status": "fitted", "epochs": 2}
    time = 32 if facts["data.label_noise"] else 5
    return {"epochs_to_fit": time, "status": "fitted", "epochs": time}


def test_a_try_out_of_two_epochs_moves_no_factor() -> None:
    noise = [{"data.label_noise": 1.0}, {"data.label_noise": 0.0}]
    tried = [{**arm, "trainer.max_epochs": 2} for arm in noise]
    found = verdict(TIMES, records(6, [*noise, *tried], lambda *_: {}, outcome=fitted))
    assert found.verdict == SUPPORTED
    assert found.claim.statistic.written(found.mean) == pytest.approx(6.4)
    assert found.left_out == ("12 runs with max_epochs 2: another setting",)
    [other] = found.elsewhere
    assert (other.setting, other.family, other.verdict) == ("max_epochs 2", 1, REFUTED)
    assert other.mean == 0
    assert other.command.startswith(
        "python -m study.fit --config CONFIG --seeds 6 --trainer.max_epochs 2 && "
    )


def test_a_sweep_of_learning_rates_flips_no_verdict() -> None:
    rates = [{**arm, "optimizer.lr": rate} for arm in ARMS for rate in (0.001, 0.01, 0.1)]

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        sign = 1 if facts["optimizer.lr"] == 0.001 else -5
        return {"train_accuracy": 0.5 + sign * 0.01 * (facts["model.backward"] == "identity")}

    found = verdict(claim(above=0), records(6, rates, value))
    assert (found.verdict, found.n, found.mean) == (SUPPORTED, 6, pytest.approx(0.01))
    assert [each.setting for each in found.elsewhere] == ["lr 0.01", "lr 0.1"]
    assert [each.verdict for each in found.elsewhere] == [REFUTED, REFUTED]
    table = verdict_table([found])
    assert table["setting"].tolist() == ["as registered", "lr 0.01", "lr 0.1"]
    assert table["family"].tolist() == ["one, m = 1", "outside", "outside"]


def test_only_the_registered_row_counts_in_a_family() -> None:
    both = [{**arm, "trainer.max_epochs": epochs} for arm in ARMS for epochs in (100, 9)]
    asked = [claim(above=-1), Claim("d", "s", "train_accuracy", a=A, b=B, above=-1)]
    found = judge_all(asked, records(7, both, lambda *_: {}))
    assert [each.family for each in found] == [2, 2]
    assert [len(each.elsewhere) for each in found] == [1, 1]


def test_every_verdict_lists_the_runs_it_rests_on_and_what_was_left_out() -> None:
    made = records(8, ARMS, lambda *_: {})
    lost = made.runs[(made.runs["seed"] == 3) & (made.runs["model.backward"] == "identity")]
    made = replace(made, runs=made.runs.drop(lost.index))
    found = verdict(claim(above=-1), made)
    assert (found.n, found.left_out) == (7, ("seeds 3: no run of a",))
    listed = judged_runs([found])
    assert len(listed) == 14
    assert set(listed["run"]) == set(made.runs[made.runs["seed"] != 3]["run"])
    facts = made.runs.set_index("run").loc[listed["run"], "model.backward"].tolist()
    assert facts == ["identity", "jacobian"] * 7


CONFIG = """
name: own
vary:
  model.loss: [cross_entropy, squared_error]
  model.backward: [jacobian, identity]
trainer: {max_epochs: 7}
"""


def test_the_config_fixes_what_it_does_not_vary_and_the_claim_what_it_does(tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text(CONFIG)
    arms = [{**arm, "trainer.max_epochs": epochs} for arm in ARMS for epochs in (7, 30)]

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        good = facts["trainer.max_epochs"] == 7 and facts["model.backward"] == "identity"
        return {"train_accuracy": 0.5 + 0.1 * good}

    made = records(6, arms, value)
    loss = {"model.loss": "cross_entropy"}
    asked = Claim("c", "s", "train_accuracy", a=A, b=B, where=loss, above=0, config=str(config))
    found = verdict(asked, made)
    assert (found.verdict, found.mean) == (SUPPORTED, pytest.approx(0.1))
    assert [each.setting for each in found.elsewhere] == ["max_epochs 30"]
    for row in (found, *found.elsewhere):  # the command makes the runs that were judged
        fit, _, report = row.command.partition(" && ")
        assert report == "python -m reports results/own"
        made_again = {run.id for run in read(shlex.split(fit)[3:]).study.runs}
        assert set(row.runs.to_numpy().ravel()) <= made_again
    longer = {**loss, "trainer.max_epochs": 30}  # the claim says otherwise
    asked = Claim("c", "s", "train_accuracy", a=A, b=B, where=longer, above=0, config=str(config))
    found = verdict(asked, made)
    assert (found.verdict, found.mean, found.elsewhere) == (INCONCLUSIVE, 0, [])
    with pytest.raises(BadInput, match=r"c\.where\.model\.loss: expected one value"):
        verdict(Claim("c", "s", "train_accuracy", a=A, b=B, above=0, config=str(config)), made)


def test_each_side_has_the_whole_optimizer_of_its_arm(tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    config.write_text("""
name: own
vary:
  optimizer:
    - {class_path: study.Adam, init_args: {lr: 0.001}}
    - {class_path: torch.optim.SGD, init_args: {lr: 0.1, momentum: 0.9}}
""")
    adam, sgd = {"optimizer.lr": 0.001}, {"optimizer.class_path": "torch.optim.SGD"}
    arms = [
        adam,
        {"optimizer.lr": 0.1},
        *({**sgd, "optimizer.lr": r, "optimizer.momentum": 0.9} for r in (0.1, 0.5)),
    ]
    seen: dict[str, float] = {"0.001": 0.5, "0.1": 0.6}

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"train_accuracy": seen.get(str(facts["optimizer.lr"]), 0.0)}

    asked = Claim(
        "c",
        "s",
        "train_accuracy",
        a=sgd,
        b={"optimizer.class_path": "study.Adam"},
        above=0,
        config=str(config),
    )
    found = verdict(asked, records(6, arms, value))
    assert (found.verdict, found.n, found.mean) == (SUPPORTED, 6, pytest.approx(0.1))


def test_of_many_other_settings_the_nearest_are_named_first() -> None:
    epochs = [{**arm, "trainer.max_epochs": number} for arm in ARMS for number in (100, 2, 3, 4, 5)]
    far = [{**arm, "trainer.max_epochs": 2, "optimizer.lr": 0.1} for arm in ARMS]
    found = verdict(claim(above=-1), records(6, [*far, *epochs], lambda *_: {}))
    assert [each.setting for each in found.elsewhere][-2:] == [
        "max_epochs 5",
        "max_epochs 2, lr 0.1",
    ]
    assert found.left_out[0] == "12 runs with max_epochs 2: another setting"
    assert found.left_out[-1].startswith("48 runs in 4 further settings: ")
    assert len(found.left_out) == 2
