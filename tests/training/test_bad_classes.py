"""Classes that cannot be had, or refuse their arguments: one line, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bad_input import Case, check_line

from study.fit import main

LR = "torch.optim.lr_scheduler"
SCHEDULE_CASES = [
    ("no such schedule", f"{{class_path: {LR}.ExponentialLr}}", ".class_path", "'ExponentialLR'?"),
    ("no schedule", "{class_path: torch.optim.SGD}", ".class_path", "a subclass of LRScheduler"),
    ("a schedule's missing argument", f"{{class_path: {LR}.StepLR}}", "", "argument: 'step_size'"),
    (
        "a schedule's unknown argument",
        f"{{class_path: {LR}.StepLR, init_args: {{step_sice: 2}}}}",
        ".init_args.step_sice",
        "did you mean 'optimizer.schedule.init_args.step_size'?",
    ),
    (
        "a schedule's argument of another type",
        f"{{class_path: {LR}.LambdaLR, init_args: {{lr_lambda: 0.9}}}}",
        "",
        "'float' object is not callable",
    ),
    (
        "a schedule that is too short",
        f"{{class_path: {LR}.OneCycleLR, init_args: {{max_lr: 1, total_steps: 9}}}}",
        "",
        "a schedule of at least 100 steps, one each epoch, found",
    ),
    (
        "a schedule of a metric",
        f"{{class_path: {LR}.ReduceLROnPlateau}}",
        ".class_path",
        "a schedule that needs no metric",
    ),
    *(
        (f"{each} of schedules", f"{{class_path: {LR}.{each}}}", ".class_path", "not made from")
        for each in ("SequentialLR", "ChainedScheduler")
    ),
]
CLASS_CASES = [
    Case(
        "no such optimizer",
        ["--optimizer.class_path", "torch.optim.SDG"],
        "optimizer.class_path",
        "an optimizer that can be imported, found 'torch.optim.SDG'",
    ),
    Case(
        "no such module",
        ["--optimizer.class_path", "torch.optimizers.SGD"],
        "optimizer.class_path",
        "an optimizer that can be imported, found 'torch.optimizers.SGD'; No module named",
    ),
    Case(
        "no optimizer",
        ["--optimizer.class_path", "torch.nn.Linear"],
        "optimizer.class_path",
        "a subclass of torch.optim.Optimizer, found 'torch.nn.Linear'",
    ),
    Case(
        "argument the optimizer does not take",
        ["--optimizer.class_path", "torch.optim.SGD", "--optimizer.init_args.momentun", "0.9"],
        "optimizer.momentun",
        "one of optimizer.lr, optimizer.momentum",
        "optimizer.momentum",
    ),
    Case(
        "value the optimizer refuses",
        ["--optimizer.class_path", "torch.optim.SGD", "--optimizer.init_args.lr", "-1"],
        "optimizer",
        "-1",
    ),
    Case(
        "varied value the optimizer refuses",
        ["--optimizer.class_path", "torch.optim.SGD", "--vary", "{optimizer.lr: [0.1, -1]}"],
        "optimizer",
        "-1",
    ),
    Case(
        "optimizer that needs a closure",
        ["--optimizer.class_path", "torch.optim.LBFGS"],
        "optimizer.class_path",
        "without a closure, found 'torch.optim.LBFGS'",
    ),
    Case(
        "no such callback",
        ["--trainer.callbacks", "[{class_path: pytorch_lightning.callbacks.Nope}]"],
        "trainer.callbacks[0]",
        "found 'pytorch_lightning.callbacks.Nope'; module",
    ),
    Case(
        "argument the callback does not take",
        [
            "--trainer.callbacks",
            "[{class_path: pytorch_lightning.callbacks.Timer, init_args: {years: 3}}]",
        ],
        "trainer.callbacks[0]",
        "found 'pytorch_lightning.callbacks.Timer'; Timer.__init__() got an unexpected",
    ),
    Case(
        "callback that is none",
        ["--trainer.callbacks", "[{class_path: builtins.dict}]"],
        "trainer.callbacks[0]",
        "a Lightning Callback, found 'builtins.dict'",
    ),
    Case(
        "no such logger",
        ["--trainer.logger", "[{class_path: pytorch_lightning.loggers.Nope}]"],
        "trainer.logger[0]",
        "found 'pytorch_lightning.loggers.Nope'",
    ),
    Case(
        "optimizer of sparse gradients",
        ["--optimizer.class_path", "torch.optim.SparseAdam"],
        "optimizer.class_path",
        "an optimizer of dense gradients, without a closure, found 'torch.optim.SparseAdam'",
    ),
    *(
        Case(what, ["--plan", "--optimizer.schedule", schedule], f"optimizer.schedule{key}", text)
        for what, schedule, key, text in SCHEDULE_CASES
    ),
    Case(
        "accelerator that is not there",
        ["--trainer.accelerator", "gpu"],
        "trainer.accelerator",
        "an accelerator of this machine, found 'gpu'",
    ),
    Case(
        "network larger than the machine",
        ["--model.hidden", "[1000000000000]"],
        "model.hidden",
        "of memory, found [1000000000000]",
    ),
]


@pytest.mark.parametrize("case", CLASS_CASES, ids=[case.what for case in CLASS_CASES])
def test_bad_classes_are_answered_with_one_line_and_leave_nothing(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(case.given, list)
    if "gpu" in case.given and torch.cuda.is_available():
        pytest.skip("this machine has the accelerator that is to be missing")
    monkeypatch.chdir(tmp_path)
    assert main(["--data.dataset", "digits", *case.given]) == 2
    check_line(capsys.readouterr().err, case.key, case.expected, case.nearest)
    assert list(tmp_path.iterdir()) == []
