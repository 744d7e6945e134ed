"""Killed at any moment, in the middle of a write too, and resumed: not a bit is different."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from campaign import BRIEF, Trial, same, tidy, wait_until
from kills import Kills, die_at

from study.wandb.ledger import Ledger

MARK = "STUDY_FAULTS"


def kill_and_resume(whole: Trial, place: Path, kills: Kills, wanted: int, every: int) -> None:
    """Kill a study's processes until so many were hit; begin another one when it is done."""
    options = ("--checkpoint_every", str(every), "--stack", "3")
    for number in range(wanted):
        trial = Trial(place / str(number), options)
        while kills.count < wanted and kills.hit(trial, trial.start()):
            pass
        trial.finish()
        same(whole, trial)
        assert trial.redone() <= every
        if kills.count == wanted:
            return


def test_three_kills_change_no_bit_and_cost_an_epoch_at_most(whole: Trial, tmp_path: Path) -> None:
    kills = Kills(seed=3)
    kill_and_resume(whole, tmp_path, kills, wanted=3, every=1)
    assert kills.count == 3


@pytest.mark.slow
def test_a_hundred_kills_change_no_bit_and_cost_checkpoint_every_epochs_at_most(
    whole: Trial, tmp_path: Path
) -> None:
    campaigns = {Kills(seed): every for seed, every in ((0, 1), (1, 3))}
    with ThreadPoolExecutor(2) as pool:
        done = [
            pool.submit(kill_and_resume, whole, tmp_path / str(kills.seed), kills, 50, every)
            for kills, every in campaigns.items()
        ]
        for each in done:
            each.result()
    assert sum(kills.count for kills in campaigns) >= 100
    torn = sum(sum(kills.torn.values()) for kills in campaigns)
    assert torn >= 20, "too few of the kills hit a write to say anything"


# What taking up a run, recording it and the end of a stack consist of.
STEPS = (
    "study.sharing.locks:Locks.take",
    "study.records.checkpoints:Checkpoints.write",
    "study.records.writing:Folder.write_weights",
    "study.records.writing:Folder.write_part",
    "study.sharing.locks:Locks.release",
    "study.records.writing:Folder.merge",
    "study.records.checkpoints:Checkpoints.remove",
)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_each_step_changes_no_bit(
    step: str, after: bool, brief: Trial, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, ("--stack", "3"), epochs=BRIEF)
    process = trial.start(prepare=partial(die_at, step, 1, after))
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    trial.finish()
    same(brief, trial)
    tidy(trial)
    assert trial.redone() <= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    ["study.sharing.locks:Locks.release", "study.records.checkpoints:Checkpoints.remove"],
)
def test_a_kill_after_the_record_leaves_nothing_to_stay(
    step: str, brief: Trial, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, epochs=BRIEF)
    process = trial.start(prepare=partial(die_at, step, 1, False))
    process.join(60)
    trial.finish()
    same(brief, trial)
    tidy(trial)


def marked(mark: str) -> list[str]:
    """Return the command lines of processes that were started with a mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def kill_beside_wandb(trial: Trial, seconds: float) -> bool:
    """Kill a process some time after its follower came; return whether it had one."""
    mark = uuid4().hex
    process = trial.start(environment={MARK: mark})
    wait_until(lambda: marked(mark), process, every=0.01)
    process.join(seconds)
    followers = [line for line in marked(mark) if "study.wandb follow" in line]
    process.kill()
    process.join()
    end = time.monotonic() + 10
    while (left := marked(mark)) and time.monotonic() < end:
        time.sleep(0.05)
    kill_marked(mark)
    assert not left
    return bool(followers)


def kill_marked(mark: str) -> None:
    """Kill what a failed test would leave."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (path / "environ").read_bytes():
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue


@pytest.mark.slow
def test_a_kill_beside_wandb_leaves_no_process_and_loses_no_run(
    whole: Trial, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, ("--wandb.mode", "offline", "--stack", "1"))
    followers = [kill_beside_wandb(trial, seconds) for seconds in (0.8, 1.2, 1.6, 2.0)]
    assert any(followers)
    trial.finish()
    same(whole, trial)
    assert len(Ledger(trial.out).published()) == 4


@pytest.mark.slow
def test_a_kill_as_the_follower_starts_leaves_no_process(
    tmp_path: Path,
) -> None:
    kill_beside_wandb(Trial(tmp_path, ("--wandb.mode", "offline", "--stack", "1")), 0)
