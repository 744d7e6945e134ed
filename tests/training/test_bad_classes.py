"""Classes that cannot be had, or refuse their arguments: one line, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bad_input import Case, check_line

from study.fit import main

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
        "optimizer that cannot keep runs apart",
        ["--optimizer.class_path", "torch.optim.LBFGS"],
        "optimizer",
        "per-parameter options",
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
