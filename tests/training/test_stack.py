"""A run does not feel its neighbours, and what a stack does with runs that end."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from helpers import YOUNGER, same, small_run, train_stack

from study.base.errors import BadInput
from study.runs.progress import DIVERGED, FINISHED, FITTED, Progress
from study.runs.run import Run
from study.training.engine import BatchedEngine, make_engine
from study.training.stack import Stack


def outcome(runs: list[Run], run: Run, size: int | None = None) -> tuple[dict, list[dict]]:
    """Train ``runs`` together; return the final weights and the history of one of them."""
    module, stack = train_stack(runs, size)
    index = next(i for i, slot in enumerate(stack.slots) if slot.run.id == run.id)
    return module.engine.save(index), stack.slots[index].history


@pytest.mark.parametrize(("size", "position"), [(2, 0), (2, 1), (5, 3), (16, 0), (16, 15)])
def test_a_run_has_the_same_bits_alone_and_at_any_place_of_a_stack(
    size: int, position: int
) -> None:
    run = small_run(seed=99)
    alone, history = outcome([run], run)
    neighbours = [
        small_run(seed, noise=seed % 2, **{"optimizer.lr": 0.01, "data.inputs": "gaussian"})
        for seed in range(size - 1)
    ]
    stacked, stacked_history = outcome([*neighbours[:position], run, *neighbours[position:]], run)
    assert same(history, stacked_history)
    assert all(torch.equal(alone[name], stacked[name]) for name in alone)


def test_a_run_that_waited_for_a_slot_has_the_bits_it_has_alone() -> None:
    facts = [{**YOUNGER, "trainer.max_epochs": 2 + seed} for seed in range(5)]
    runs = [small_run(seed, **facts[seed]) for seed in range(5)]
    _, stack = train_stack(runs, size=2)
    for slot in stack.all:
        assert slot.epoch == slot.run.trainer.max_epochs
        assert same(slot.history, train_stack([slot.run])[1].slots[0].history)


def test_two_runs_with_one_seed_that_differ_in_the_backward_rule_start_from_the_same_weights() -> (
    None
):
    first, second = (
        train_stack([small_run(**{"model.backward": rule})])[1].slots[0].history
        for rule in ("jacobian", "identity")
    )
    # All but what the rule itself sends.
    before = [
        {k: v for k, v in rows[0].items() if k != "run" and not k.startswith("gradient_")}
        for rows in (first, second)
    ]
    assert same(before[:1], before[1:])
    assert first[-1]["train_cross_entropy"] != second[-1]["train_cross_entropy"]


def test_a_run_that_diverges_is_marked_and_leaves_the_others_as_they_are() -> None:
    good = small_run(seed=1)
    bad = small_run(seed=0, **{"optimizer.lr": 1e30, "model.backward": "jacobian"})
    _, stack = train_stack([bad, good])
    assert stack.slots[0].status == DIVERGED
    assert stack.slots[0].epoch < good.trainer.max_epochs
    assert math.isnan(stack.slots[0].history[-1]["train_cross_entropy"])
    assert stack.slots[1].status == FINISHED
    assert same(stack.slots[1].history, train_stack([good])[1].slots[0].history)


def test_a_run_stops_at_the_first_epoch_that_fits_and_its_neighbour_goes_on() -> None:
    facts = {"stop.train_accuracy": 0.9, "trainer.max_epochs": 30, "optimizer.lr": 0.01}
    _, stack = train_stack([small_run(noise=0, **facts), small_run(noise=1, **facts)])
    fitted, other = stack.slots
    accuracies = [row["train_accuracy"] for row in fitted.history]
    assert fitted.status == FITTED
    assert fitted.epochs_to_fit == fitted.epoch == len(accuracies) - 1
    assert accuracies[-1] >= 0.9 > max(accuracies[:-1])
    assert other.epoch > fitted.epoch


def test_a_stop_on_the_loss_waits_until_all_that_it_names_holds() -> None:
    facts = {"stop.train_accuracy": 0.5, "stop.train_cross_entropy": 0.1, "optimizer.lr": 0.01}
    slot = train_stack([small_run(noise=0, **facts, **{"trainer.max_epochs": 60})])[1].slots[0]
    assert slot.status == FITTED
    assert slot.epochs_to_fit is not None
    assert slot.epochs_to_fit < slot.epoch
    assert slot.history[-1]["train_cross_entropy"] <= 0.1


def test_evaluation_keeps_its_schedule_and_never_misses_the_last_epoch() -> None:
    run = small_run(**{"evaluate_every": 3, "trainer.max_epochs": 7})
    assert [row["epoch"] for row in train_stack([run])[1].slots[0].history] == [0, 3, 6, 7]


@pytest.mark.parametrize("accuracy", [None, 0.93, 1.0])
def test_epochs_to_fit_do_not_depend_on_how_often_is_evaluated(accuracy: float | None) -> None:
    facts = {"stop.train_accuracy": accuracy, "trainer.max_epochs": 42, "optimizer.lr": 0.05}
    seldom = [small_run(seed, 0.1, **facts, evaluate_every=16) for seed in range(3)]
    always = [small_run(seed, 0.1, **facts) for seed in range(3)]
    slots = [*train_stack(seldom)[1].slots, *train_stack(always)[1].slots]
    for one, other in zip(slots[:3], slots[3:], strict=True):
        assert one.epochs_to_fit == other.epochs_to_fit
        assert one.epochs_to_fit is not None
        assert one.epochs_to_fit % 16
        assert (one.status, one.epoch) == (other.status, other.epoch)
        rows = {row["epoch"]: row for row in other.history}
        found = [{**row, "run": ""} for row in one.history]
        assert same(found, [{**rows[row["epoch"]], "run": ""} for row in one.history])
        scheduled = [epoch for epoch in (*range(0, 42, 16), 42) if epoch <= one.epoch]
        assert {row["epoch"] for row in found} == {*scheduled, one.epochs_to_fit}


def test_running_metrics_are_those_of_the_batches_before_each_step() -> None:
    # With next to no steps, the running figures are the exact ones.
    first, still = train_stack([small_run(**{"optimizer.lr": 1e-30})])[1].slots[0].history[:2]
    assert math.isnan(first["running_accuracy"])
    assert still["running_accuracy"] == still["train_accuracy"]
    assert still["running_cross_entropy"] == pytest.approx(still["train_cross_entropy"], rel=1e-6)
    # Labels are smoothed in the loss that is trained on alone; what is dropped shows.
    facts = {"optimizer.lr": 1e-30, "model.label_smoothing": 0.5, "model.dropout": 0.5}
    dropping = train_stack([small_run(**facts)])[1].slots[0].history[1]
    assert dropping["train_cross_entropy"] == still["train_cross_entropy"]
    assert abs(dropping["running_cross_entropy"] - still["running_cross_entropy"]) > 1e-3
    smooth = small_run(**{**facts, "model.dropout": 0.0})
    smoothed = train_stack([smooth])[1].slots[0].history[1]
    assert smoothed["running_cross_entropy"] == still["running_cross_entropy"]


def test_a_run_that_fits_before_training_ends_without_a_step() -> None:
    slot = train_stack([small_run(**{"stop.train_accuracy": 0.0})])[1].slots[0]
    assert (slot.status, slot.epoch) == (FITTED, 0)


def test_gradients_are_clipped_run_by_run() -> None:
    clipped = small_run(**{"trainer.gradient_clip_val": 1e-3})
    free = small_run()
    _, stack = train_stack([clipped, free])
    assert same(stack.slots[1].history, train_stack([free])[1].slots[0].history)
    assert stack.slots[0].history[-1] != stack.slots[1].history[-1]


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions_train_and_stay_near_single_precision(precision: str) -> None:
    facts = {"model.gradients": "autograd"}
    single = train_stack([small_run(noise=0, **facts)])[1].slots[0].history[-1]
    other = train_stack([small_run(noise=0, **facts, **{"trainer.precision": precision})])[1]
    # bfloat16 keeps 8 bits of each product.
    assert other.slots[0].history[-1]["train_cross_entropy"] == pytest.approx(
        single["train_cross_entropy"], rel=1e-5 if precision == "64-true" else 2e-2
    )


def test_batched_products_give_what_one_by_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [small_run(seed, noise=0, **{"trainer.max_epochs": 2 + seed}) for seed in range(3)]
    _, one_by_one = train_stack(runs)
    monkeypatch.setattr(
        "study.training.stack_module.make_engine", functools.partial(make_engine, batched=True)
    )
    module, batched = train_stack(runs)
    assert isinstance(module.engine, BatchedEngine)
    for one, other in zip(one_by_one.slots, batched.slots, strict=True):
        # Products of another shape may round otherwise; three epochs enlarge that a little.
        assert other.history[-1]["train_cross_entropy"] == pytest.approx(
            one.history[-1]["train_cross_entropy"], rel=1e-4
        )


def test_runs_of_different_programs_share_no_stack() -> None:
    with pytest.raises(BadInput, match=r"model.activation"):
        Stack([Progress(small_run()), Progress(small_run(**{"model.activation": "tanh"}))])
    with pytest.raises(BadInput, match="at least one run"):
        Stack([])


@pytest.mark.parametrize("hidden", [(91, 55), (43, 65)])
def test_double_precision_keeps_a_run_s_bits_too(hidden: tuple[int, ...]) -> None:
    # Casting a network packs its rows tight, where a product may round otherwise.
    facts = {"trainer.precision": "64-true", "model.hidden": hidden, "data.batch_size": 29}
    runs = [small_run(seed, **facts) for seed in range(3)]
    _, stack = train_stack(runs)
    for slot in stack.slots:
        assert same(slot.history, train_stack([slot.run])[1].slots[0].history)


def test_a_run_takes_no_number_of_its_optimizer_from_its_neighbour() -> None:
    sgd = {"optimizer.class_path": "torch.optim.SGD", "optimizer.lr": 0.1}
    with_momentum = Run.of({**facts_without_optimizer(), **sgd, "optimizer.momentum": 0.9})
    plain = Run.of({**facts_without_optimizer(), **sgd})
    alone = train_stack([plain])[1].slots[0].history
    for runs, size in (([with_momentum, plain], 2), ([with_momentum, plain], 1)):
        _, stack = train_stack(runs, size)
        slot = next(slot for slot in stack.all if slot.run.id == plain.id)
        assert same(slot.history, alone)


def facts_without_optimizer() -> dict[str, object]:
    facts = small_run().facts()
    return {key: value for key, value in facts.items() if not key.startswith("optimizer.")}
