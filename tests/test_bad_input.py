"""Bad input, one case a row: exit status 2, one line that helps, and nothing left behind.

What the config alone shows is tried in a process that has imported nothing heavy, and must not
import it; what takes files of a data set, a class or a folder is tried here.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torchvision

from study.base.errors import BadInput, check_fields, nearest
from study.data import sources
from study.data.sources import SOURCES
from study.fit import main
from study.records.writing import check_folder
from study.runs.settings import Data


class Case(NamedTuple):
    """A row: what is wrong, a config file's content or a command line, and the line's parts."""

    what: str
    given: str | bytes | list[str]
    key: str
    expected: str
    nearest: str = ""


NAMES = "letters, digits, '.', '_' and '-', starting with a letter or digit"
SEEDS = "a number of at least 1, or a list of whole numbers of at least 0"
BACKWARDS = "one of jacobian, identity, autograd, fused"
DATASETS = "one of mnist5k, digits, mnist, fashion_mnist, kmnist, cifar10"
CLASSES = "a list of mappings with class_path (a.B) and init_args"
FROM_1 = "a whole number of at least 1"
WIDTHS = "a list of layer widths of at least 1, e.g. [256]"
CONFIG = "{config}"  # stands for the config file's path as it was given

CASES = [
    # Keys
    Case("unknown key", "seedz: 3", "seedz", "one of name, seeds,", "seeds"),
    Case("unknown subject", "dta: {label_noise: 1}", "dta", "data, model, stop", "data"),
    Case(
        "unknown data key",
        "data: {label_nois: 1}",
        "data.label_nois",
        "one of data.dataset,",
        "data.label_noise",
    ),
    Case(
        "unknown model key",
        "model: {backwards: fused}",
        "model.backwards",
        "one of model.hidden,",
        "model.backward",
    ),
    Case(
        "unknown stop key",
        "stop: {train_acuracy: 1}",
        "stop.train_acuracy",
        "stop.train_cross_entropy",
        "stop.train_accuracy",
    ),
    Case(
        "unknown trainer key",
        "trainer: {max_epoch: 5}",
        "trainer.max_epoch",
        "one of trainer.max_epochs,",
        "trainer.max_epochs",
    ),
    Case("unknown Adam argument", "optimizer: {lrr: 1}", "optimizer.lrr", "one of lr, betas", "lr"),
    Case(
        "unknown Adam argument in init_args",
        "optimizer: {init_args: {beta: [0, 0]}}",
        "optimizer.beta",
        "one of lr, betas",
        "betas",
    ),
    Case(
        "dotted key outside vary",
        "data.inputs: gaussian",
        "data.inputs",
        "write inputs below data:",
    ),
    Case("key that is a number", "1: 2", "1", "one of name, seeds,"),
    Case("option in a config", "plan: true", "plan", "remove it"),
    # Values: data
    Case("noise above 1", "data: {label_noise: 1.5}", "data.label_noise", "in [0, 1], found 1.5"),
    Case("noise below 0", "data: {label_noise: -0.1}", "data.label_noise", "in [0, 1], found -0.1"),
    Case(
        "noise as text", "data: {label_noise: half}", "data.label_noise", "in [0, 1], found 'half'"
    ),
    Case("noise as a list", "data: {label_noise: [0]}", "data.label_noise", "in [0, 1], found [0]"),
    Case("noise nan", "data: {label_noise: .nan}", "data.label_noise", "in [0, 1], found nan"),
    Case("noise infinite", "data: {label_noise: .inf}", "data.label_noise", "in [0, 1], found inf"),
    Case("noise true", "data: {label_noise: true}", "data.label_noise", "in [0, 1], found true"),
    Case("noise null", "data: {label_noise: null}", "data.label_noise", "in [0, 1], found null"),
    Case("misspelt data set", "data: {dataset: minst}", "data.dataset", DATASETS, "mnist"),
    Case("misspelt inputs", "data: {inputs: shuffled}", "data.inputs", "one of", "shuffled_pixels"),
    Case("None for none", "data: {normalize: None}", "data.normalize", "one of none,", "none"),
    Case("no root", "data: {root: ''}", "data.root", "a folder, found ''"),
    Case("root as a number", "data: {root: 5}", "data.root", "a folder, found 5; put it in quotes"),
    Case("no batch", "data: {batch_size: 0}", "data.batch_size", f"{FROM_1}, found 0"),
    Case("half a batch", "data: {batch_size: 2.5}", "data.batch_size", f"{FROM_1}, found 2.5"),
    Case("batch true", "data: {batch_size: true}", "data.batch_size", f"{FROM_1}, found true"),
    Case("batch null", "data: {batch_size: null}", "data.batch_size", f"{FROM_1}, found null"),
    Case(
        "batch larger than the subset",
        "data: {train_examples: 50, batch_size: 60}",
        "data.batch_size",
        "at most the 50 training examples, found 60",
    ),
    Case(
        "more examples than there are",
        "data: {train_examples: 4001}",
        "data.train_examples",
        "at most the 4000 training examples of mnist5k, found 4001",
    ),
    Case("no examples", "data: {train_examples: 0}", "data.train_examples", "or null, found 0"),
    Case("data not a mapping", "data: 5", "data", "a mapping of keys to values, found 5"),
    Case("data with nothing below", "data:", "data", "a mapping of keys to values, found null"),
    # Values: model
    Case(
        "one width without a list", "model: {hidden: 256}", "model.hidden", f"{WIDTHS}, found 256"
    ),
    Case("width 0", "model: {hidden: [256, 0]}", "model.hidden", f"{WIDTHS}, found [256, 0]"),
    Case("width as text", "model: {hidden: [wide]}", "model.hidden", f"{WIDTHS}, found 'wide'"),
    Case("width beyond 64 bits", f"model: {{hidden: [{10**20}]}}", "model.hidden", WIDTHS),
    Case(
        "misspelt backward", "model: {backward: jacobain}", "model.backward", BACKWARDS, "jacobian"
    ),
    Case("short for a loss", "model: {loss: squared}", "model.loss", "one of", "squared_error"),
    # Values: optimizer
    Case("negative lr", "optimizer: {lr: -0.1}", "optimizer.lr", "a number above 0, found -0.1"),
    Case("lr as text", "optimizer: {lr: fast}", "optimizer.lr", "a number above 0, found 'fast'"),
    Case("lr null", "optimizer: {lr: null}", "optimizer.lr", "a number above 0, found null"),
    Case("one beta", "optimizer: {betas: [0.9]}", "optimizer.betas", "two numbers in [0, 1)"),
    Case("beta 1", "optimizer: {betas: [0.9, 1]}", "optimizer.betas", "found [0.9, 1]"),
    Case(
        "switch as a number", "optimizer: {fused: 1}", "optimizer.fused", "true or false, found 1"
    ),
    Case("optimizer not a mapping", "optimizer: Adam", "optimizer", "a mapping of keys to values"),
    Case(
        "class without a module",
        "optimizer: {class_path: SGD}",
        "optimizer.class_path",
        "an import path, e.g. study.Adam or torch.optim.SGD, found 'SGD'",
    ),
    Case(
        "init_args not a mapping",
        "optimizer: {class_path: torch.optim.SGD, init_args: [0.1]}",
        "optimizer.init_args",
        "a mapping of argument names to values, found [0.1]",
    ),
    Case(
        "argument given twice",
        "optimizer: {lr: 0.1, init_args: {lr: 0.2}}",
        "optimizer.lr",
        "one value; it is both in init_args and beside it",
    ),
    Case(
        "argument of another class not finite",
        "optimizer: {class_path: torch.optim.SGD, lr: .nan}",
        "optimizer.lr",
        "a finite number, found nan",
    ),
    # Values: W&B
    Case("misspelt mode", "wandb: {mode: ofline}", "wandb.mode", "one of", "offline"),
    Case("misspelt W&B key", "wandb: {projct: a}", "wandb.projct", "one of", "wandb.project"),
    Case("project as a path", "wandb: {project: a/b}", "wandb.project", "without / \\ # ? % :"),
    Case("entity with a blank", "wandb: {entity: my lab}", "wandb.entity", "user or team"),
    Case("group too long", f"wandb: {{group: {'g' * 129}}}", "wandb.group", "128 characters"),
    Case("one tag", "wandb: {tags: a}", "wandb.tags", "a list of names"),
    # Values: stop, trainer
    Case(
        "accuracy above 1",
        "stop: {train_accuracy: 99}",
        "stop.train_accuracy",
        "in [0, 1], or null",
    ),
    Case(
        "cross-entropy 0", "stop: {train_cross_entropy: 0}", "stop.train_cross_entropy", "above 0"
    ),
    Case("no epochs", "trainer: {max_epochs: 0}", "trainer.max_epochs", f"{FROM_1}, found 0"),
    Case("epochs as text", "trainer: {max_epochs: many}", "trainer.max_epochs", f"{FROM_1}, found"),
    Case("misspelt device", "trainer: {accelerator: cud}", "trainer.accelerator", "one of", "cuda"),
    Case("precision 16", "trainer: {precision: 16}", "trainer.precision", "bf16-mixed, found 16"),
    Case(
        "bf16 with derived gradients",
        "trainer: {precision: bf16-mixed}",
        "trainer.precision",
        "with model.gradients: derived, found 'bf16-mixed'; set model.gradients: autograd",
    ),
    Case(
        "clip at 0", "trainer: {gradient_clip_val: 0}", "trainer.gradient_clip_val", "above 0, or"
    ),
    Case("callback as text", "trainer: {callbacks: [a.B]}", "trainer.callbacks", CLASSES),
    Case(
        "callback without a module",
        "trainer: {callbacks: [{class_path: Timer}]}",
        "trainer.callbacks",
        CLASSES,
    ),
    Case(
        "callback's arguments not a mapping",
        "trainer: {callbacks: [{class_path: a.B, init_args: 3}]}",
        "trainer.callbacks",
        CLASSES,
    ),
    # Values: the study's own
    Case("seeds twice", "seeds: [0, 3, 3]", "seeds", "each seed once, found [0, 3, 3]"),
    Case("no seeds", "seeds: []", "seeds", f"{SEEDS}, found []"),
    Case("zero seeds", "seeds: 0", "seeds", f"{SEEDS}, found 0"),
    Case("negative seed", "seeds: [0, -3]", "seeds", f"{SEEDS}, found [0, -3]"),
    Case("seeds true", "seeds: true", "seeds", f"{SEEDS}, found true"),
    Case("seeds null", "seeds: null", "seeds", f"{SEEDS}, found null"),
    Case("more runs than anybody trains", f"seeds: {10**15}", "seeds", "at most 100000 runs"),
    Case("name with a slash", "name: a/b", "name", f"{NAMES}, found 'a/b'"),
    Case("empty name", "name: ''", "name", f"{NAMES}, found ''"),
    Case("name with an accent", "name: étude", "name", f"{NAMES}, found 'étude'"),
    Case("name as a number", "name: 1e3", "name", "found 1000.0; put it in quotes"),
    Case("misspelt auto", "stack: atuo", "stack", "a number of at least 1, or auto, found 'atuo'"),
    Case("no checkpoints", "checkpoint_every: 0", "checkpoint_every", f"{FROM_1}, found 0"),
    Case("mkl", "products: mkl", "products", "one of auto, blas, onednn, found 'mkl'"),
    Case("maybe weights", "keep_weights: maybe", "keep_weights", "true or false, found 'maybe'"),
    Case("no evaluations", "evaluate_every: 0", "evaluate_every", f"{FROM_1}, found 0"),
    Case("empty out", "out: ''", "out", "a folder, found ''"),
    # vary
    Case(
        "empty vary", "vary: {data.label_noise: []}", "vary.data.label_noise", "at least one value"
    ),
    Case("vary no list", "vary: {data.label_noise: 0.5}", "vary.data.label_noise", "a list of at"),
    Case("vary null", "vary: null", "vary", "a mapping of keys to values, found null"),
    Case("vary a list", "vary: [data.inputs]", "vary", "a mapping of keys to values, found ['data"),
    Case(
        "vary an unknown key",
        "vary: {data.label_nois: [0, 1]}",
        "vary.data.label_nois",
        "one of data.dataset, data.label_noise",
        "data.label_noise",
    ),
    Case(
        "vary without the subject",
        "vary: {label_noise: [0, 1]}",
        "vary.label_noise",
        "a run's dotted key",
        "data.label_noise",
    ),
    Case("vary what is no fact", "vary: {stack: [1, 2]}", "vary.stack", "a run's dotted key"),
    Case("vary the seed", "vary: {seed: [0, 1]}", "vary.seed", "give seeds under seeds:"),
    Case(
        "vary out of range",
        "vary: {data.label_noise: [0, 2]}",
        "vary.data.label_noise",
        "a probability in [0, 1], found 2",
    ),
    Case(
        "vary misspelt",
        "vary: {model.backward: [jacobian, identiti]}",
        "vary.model.backward",
        f"{BACKWARDS}, found 'identiti'",
        "identity",
    ),
    Case("vary lrr", "vary: {optimizer.lrr: [1]}", "vary.optimizer.lrr", "one of lr, betas", "lr"),
    Case(
        "vary with equal values",
        "vary: {data.label_noise: [0, 0.0]}",
        "vary.data.label_noise",
        "each value once, found [0, 0.0]",
    ),
    Case("vary widths, not lists", "vary: {model.hidden: [64]}", "vary.model.hidden", WIDTHS),
    Case(
        "vary the class of study.Adam",
        "vary: {optimizer.class_path: [study.Adam, torch.optim.SGD]}",
        "vary.optimizer.class_path",
        "set optimizer.class_path to one of torch's",
    ),
    Case(
        "vary all arguments at once",
        "vary: {optimizer.init_args: [3]}",
        "vary.optimizer.init_args",
        "one by one; e.g. optimizer.lr",
    ),
    # The file itself
    Case("empty file", "", CONFIG, "a mapping of keys to values; the file is empty"),
    Case("only a comment", "# seeds: 3", CONFIG, "a mapping of keys to values; the file is empty"),
    Case("a list", "- seeds", CONFIG, "a mapping of keys to values, found ['seeds']"),
    Case("text", "seeds", CONFIG, "a mapping of keys to values, found 'seeds'"),
    Case("tab", "data:\n\tinputs: x", f"{CONFIG}, line 2", "YAML; found character '\\t'"),
    Case("open brace", "data: {inputs: x", f"{CONFIG}, line 1", "YAML; expected ',' or '}'"),
    Case("key twice", "seeds: 3\nname: a\nseeds: 4", f"{CONFIG}, line 1", "the key 'seeds' stands"),
    Case(
        "inner key twice", "data: {root: a, root: b}", f"{CONFIG}, line 1", "the key 'root' stands"
    ),
    Case("two documents", "seeds: 3\n---\nseeds: 4", f"{CONFIG}, line 2", "another document"),
    Case("python object", "seeds: !!python/name:os.x", f"{CONFIG}, line 1", "constructor for the"),
    Case("not UTF-8", b"name: caf\xe9", CONFIG, "a text file in UTF-8; 'utf-8' codec can't"),
    Case("null byte", b"name: \x00", CONFIG, "YAML; unacceptable character"),
    # The command line
    Case("no such file", ["--config", "x.yaml"], "--config", "a config file, found 'x.yaml'"),
    Case("file is a folder", ["--config=."], "--config", "a config file, found '.'"),
    Case("config without a file", ["--config"], "--config", "a config file, found ''"),
    Case(
        "config without --config",
        ["configs/noise.yaml"],
        "configs/noise.yaml",
        "an option of study.fit",
        "--config configs/noise.yaml",
    ),
    Case("shard 5/4", ["--shard", "5/4"], "--shard", "k/n with k from 1 to n, e.g. 1/4, found"),
    Case("shard without a number", ["--shard"], "shard", "k/n"),
    Case("mode sync", ["--wandb.mode=sync"], "wandb.mode", "one of offline, online, off, found"),
    Case("vary cut", ["--vary.model.loss", "[1,"], "vary.model.loss", "a list of values"),
    Case("word", ["train"], "train", "an option of study.fit; see --help"),
    Case("misspelt option", ["--seed", "3"], "--seed", "an option of study.fit", "--seeds"),
    Case("hyphen", ["--keep-weights=no"], "--keep-weights", "an option", "--keep_weights"),
    Case("subject left out", ["--label_noise=1"], "--label_noise", "an", "--data.label_noise"),
    Case("subject at once", ["--data", "{}"], "--data", "an option of study.fit; e.g. --data.data"),
    Case("seeds abc", ["--seeds", "abc"], "seeds", f"{SEEDS}, found 'abc'"),
    Case("seeds without a number", ["--seeds"], "seeds", f"{SEEDS}; no value was given"),
    Case("hidden 3", ["--model.hidden", "3"], "model.hidden", f"{WIDTHS}, found 3"),
    Case("hidden cut", ["--model.hidden", "[3"], "model.hidden", f"{WIDTHS}, found '[3'"),
    Case("2.5 epochs", ["--trainer.max_epochs=2.5"], "trainer.max_epochs", f"{FROM_1}, found 2.5"),
    Case("keep_weights 7", ["--keep_weights", "7"], "keep_weights", "true or false, found 7"),
    Case(
        "noise without", ["--data.label_noise"], "data.label_noise", "a probability in [0, 1]; no"
    ),
    Case("noise 1.5", ["--data.label_noise=1.5"], "data.label_noise", "in [0, 1], found 1.5"),
    Case("loss", ["--model.loss=squared"], "model.loss", "one of", "squared_error"),
    Case("batch", ["--data.train_examples=50"], "data.batch_size", "at most the 50 training"),
    Case("lrr", ["--optimizer.lrr=1"], "optimizer.lrr", "one of lr, betas", "lr"),
    Case("lr abc", ["--optimizer.lr=abc"], "optimizer.lr", "a number above 0, found 'abc'"),
    Case(
        "optimizer by name", ["--optimizer=SGD"], "optimizer", "a mapping: study.Adam's arguments"
    ),
    Case("vary 3", ["--vary", "3"], "vary", "a mapping of dotted keys to lists of values, found 3"),
    Case("vary 2", ["--vary", "{data.label_noise: [2]}"], "vary.data.label_noise", "found 2"),
    Case("vary.x", ["--vary.data.nois=[0]"], "vary.data.nois", "one of data.dataset"),
    Case("plan with a value", ["--plan=3"], "plan", "no value"),
    Case("two faults", ["--seeds=0", "--name=a/b"], "name", NAMES),
    # The folder; `furnish` makes what stands in it
    Case("out is a file", ["--out", "file"], "out", "a folder; file is a file: choose another"),
    Case("out below a file", ["--out", "file/a/b"], "out", "a folder; file is a file: choose"),
    Case(
        "out where nobody writes", ["--out", "/proc/nope"], "out", "that can be written to, found"
    ),
    Case("out too long", ["--out", "a" * 300], "out", "that can be written to"),
    Case("out a dead link", ["--out", "link"], "out", "a folder; link is a file"),
    Case(
        "out with other files", ["--out", "other"], "out", "an empty folder or a study's; other has"
    ),
    Case(
        "out of another study", ["--out", "theirs"], "out", "study 'study'; theirs is that of 'x'"
    ),
    Case(
        "out with a torn config", ["--out", "torn"], "out", "a study's folder; study.yaml in torn"
    ),
    Case("out with a list", ["--out", "list"], "out", "a study's folder; study.yaml in list"),
]

RUN_ALL = """
import contextlib, io, json, os, sys
from pathlib import Path
from study.fit import main
heavy, outcomes = ("torch", "torchvision", "pytorch_lightning", "wandb", "seaborn"), []
for folder, argv in json.load(sys.stdin):
    os.chdir(folder)
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in Path().rglob("*"))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    after = sorted((str(path), path.lstat().st_mtime_ns) for path in Path().rglob("*"))
    outcomes.append({
        "status": status, "out": out.getvalue(), "err": err.getvalue(), "left": after != before,
        "imported": [name for name in heavy if name in sys.modules],
    })
json.dump(outcomes, sys.stdout)
"""
SOUND = Case("sound", ["--out", "new", "--plan"], "", "")


def furnish(folder: Path) -> None:
    """Put into a working directory what the cases about folders are about."""
    folder.mkdir(parents=True)
    (folder / "file").touch()
    (folder / "link").symlink_to("nowhere")
    for name, content in {"theirs": "name: x", "torn": "{", "list": "- name"}.items():
        (folder / name).mkdir()
        (folder / name / "study.yaml").write_text(content)
    (folder / "other").mkdir()
    (folder / "other" / "thesis.tex").touch()


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run the command on every row of the table, one after another in one process."""
    tasks = []
    for number, case in enumerate([*CASES, SOUND]):
        folder = tmp_path_factory.mktemp(f"case{number}") / "work"
        furnish(folder)
        argv = case.given
        if not isinstance(argv, list):
            content = argv.encode() if isinstance(argv, str) else argv
            (folder.parent / "config.yaml").write_bytes(content)
            argv = ["--config", "../config.yaml"]
        tasks.append((str(folder), argv))
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL], input=json.dumps(tasks), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return dict(zip([case.what for case in [*CASES, SOUND]], json.loads(done.stdout), strict=True))


def check_line(line: str, key: str, expected: str, near: str = "") -> None:
    """Assert that bad input was answered with one line, made of these parts."""
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert "\\n" not in line
    assert line.startswith(f"study.fit: {key}: expected ")
    assert expected in line
    assert (f"did you mean '{near}'?" in line) == bool(near)


def test_the_table_is_long_and_its_rows_differ() -> None:
    assert len(CASES) >= 70
    assert len({case.what for case in CASES}) == len(CASES)
    assert len({str(case.given) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_bad_input_is_answered_with_one_line_before_anything_heavy_and_leaves_nothing(
    case: Case, outcomes: dict[str, dict[str, Any]]
) -> None:
    outcome = outcomes[case.what]
    assert outcome["status"] == 2, outcome
    assert outcome["out"] == ""
    check_line(
        outcome["err"],
        case.key.replace(CONFIG, "../config.yaml"),
        case.expected,
        case.nearest,
    )
    assert ("../config.yaml" in outcome["err"]) == (not isinstance(case.given, list))
    assert outcome["imported"] == []
    assert not outcome["left"]


def test_a_sound_plan_in_the_same_process_imports_nothing_heavy_either(
    outcomes: dict[str, dict[str, Any]],
) -> None:
    outcome = outcomes["sound"]
    assert outcome["status"] == 0
    assert "1 runs (1 conditions x 1 seeds)" in outcome["out"]
    assert (outcome["err"], outcome["imported"], outcome["left"]) == ("", [], False)


def test_the_command_itself_ends_with_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "study.fit", "--data.label_noise", "1.5"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    check_line(done.stderr, "data.label_noise", "a probability in [0, 1], found 1.5")
    assert list(tmp_path.iterdir()) == []


def test_a_fault_names_the_file_that_its_key_is_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"{name}.yaml" for name in ("first", "second", "third")]
    for path, content in zip(paths, ("data: {label_noise: 3}", "seeds: 0", "name: a"), strict=True):
        path.write_text(content)
    layered = [part for path in paths for part in ("--config", str(path))]
    assert main(layered) == 2
    assert capsys.readouterr().err.endswith(f"found 3; in {paths[0]}\n")
    assert main([*layered, "--data.label_noise", "1"]) == 2
    assert capsys.readouterr().err.endswith(f"found 0; in {paths[1]}\n")
    assert main([*layered, "--data.label_noise", "1", "--seeds", "-1"]) == 2
    assert capsys.readouterr().err.endswith("found -1\n")


def test_a_missing_config_gets_its_neighbours_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "random.yaml").touch()
    assert main(["--config", str(tmp_path / "randon.yaml")]) == 2
    assert f"did you mean '{tmp_path / 'random.yaml'}'?" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o555)
    try:
        assert main(["--out", str(tmp_path / "out")]) == 2
    finally:
        tmp_path.chmod(0o755)
    check_line(capsys.readouterr().err, "out", "a folder that can be written to")


def test_a_folder_that_may_not_be_looked_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What root cannot see: the system refuses to look.
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(BadInput, match=r"can be written to.*Permission denied") as fault:
        check_folder(tmp_path / "out", "study")
    assert fault.value.key == "out"


# What takes files or classes


def idx(shape: tuple[int, ...], content: bytes) -> bytes:
    """Return an idx file of bytes."""
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


def whole() -> dict[str, bytes]:
    """Return the four files of a small MNIST."""
    return {
        "train-images-idx3-ubyte": idx((6, 28, 28), bytes(6 * 784)),
        "train-labels-idx1-ubyte": idx((6,), bytes(range(6))),
        "t10k-images-idx3-ubyte": idx((4, 28, 28), bytes(4 * 784)),
        "t10k-labels-idx1-ubyte": idx((4,), bytes(range(4))),
    }


Change = Callable[[dict[str, bytes]], object]


class Files(NamedTuple):
    """A row about a data set's files: what is done to whole ones, and the line's parts."""

    what: str
    change: Change
    key: str  # {raw} stands for the folder with the files
    expected: str


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PACKED = gzip.compress(whole()[IMAGES])


def put(name: str, content: bytes) -> Change:
    """Return the change that puts other content into a file."""
    return lambda files: files.update({name: content})


def pack(content: bytes) -> Change:
    """Return the change that leaves the training images packed only."""
    return lambda files: (files.pop(IMAGES), files.update({f"{IMAGES}.gz": content}))


FILES = [
    Files("data set missing", dict.clear, "data.root", "MNIST's files under"),
    Files("one file missing", lambda files: files.pop(LABELS), "data.root", "MNIST's files under"),
    Files(
        "truncated images",
        put(IMAGES, whole()[IMAGES][:1000]),
        f"{{raw}}/{IMAGES}",
        "4704 bytes of data for shape (6, 28, 28), found '984 bytes'",
    ),
    Files("no bytes", put(IMAGES, b""), f"{{raw}}/{IMAGES}", "an idx file of bytes, found b''"),
    Files(
        "wrong magic",
        put(LABELS, b"\x00\x00\x0d" + whole()[LABELS][3:]),
        f"{{raw}}/{LABELS}",
        "an idx file of bytes",
    ),
    Files(
        "web page", put(LABELS, b"<html>"), f"{{raw}}/{LABELS}", "bytes, found b'<htm'; fetch it"
    ),
    Files(
        "truncated gzip",
        pack(PACKED[: len(PACKED) // 2]),
        f"{{raw}}/{IMAGES}.gz",
        "a whole gzip file",
    ),
    Files("no gzip", pack(b"images"), f"{{raw}}/{IMAGES}.gz", "a whole gzip file"),
    Files(
        "labels out of range",
        put(LABELS, idx((6,), bytes(range(5, 11)))),
        "data.dataset mnist",
        "labels from 0 to 9, found '5 to 10'",
    ),
    Files(
        "wrong count",
        put(LABELS, idx((5,), bytes(5))),
        "data.dataset mnist",
        "arrays of shapes ((6, 784), (6,), (4, 784), (4,)), found ((6, 784), (5,),",
    ),
    Files(
        "wrong shape",
        put(IMAGES, idx((6, 28, 27), bytes(6 * 28 * 27))),
        "data.dataset mnist",
        "found ((6, 756)",
    ),
]


def refuse_to_download(*args: object, **kwargs: object) -> None:
    raise RuntimeError("no network in tests")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with a small MNIST declared and no network."""
    small = dataclasses.replace(SOURCES["mnist"], train_examples=6, test_examples=4)
    monkeypatch.setitem(sources.SOURCES, "mnist", small)
    monkeypatch.setattr(torchvision.datasets, "MNIST", refuse_to_download)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("case", FILES, ids=[case.what for case in FILES])
def test_bad_files_are_answered_with_one_line_and_leave_nothing(
    case: Files, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = work.parent / "sets" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    files = whole()
    case.change(files)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    root = str(work.parent / "sets")
    argv = ["--data.dataset", "mnist", "--data.batch_size", "2", "--data.root", root]
    assert main(argv) == 2
    check_line(capsys.readouterr().err, case.key.format(raw=raw), case.expected)
    assert list(work.iterdir()) == []
    assert sorted(path.name for path in raw.iterdir()) == sorted(files)


CLASS_CASES = [
    Case(
        "no such optimizer",
        ["--optimizer.class_path", "torch.optim.SDG"],
        "optimizer.class_path",
        "a class that can be imported, found 'torch.optim.SDG'",
    ),
    Case(
        "no such module",
        ["--optimizer.class_path", "torch.optimizers.SGD"],
        "optimizer.class_path",
        "a class that can be imported, found 'torch.optimizers.SGD'; No module named",
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
        "of memory hold, found [1000000000000]",
    ),
]


@pytest.mark.parametrize("case", CLASS_CASES, ids=[case.what for case in CLASS_CASES])
def test_bad_classes_are_answered_with_one_line_and_leave_nothing(
    case: Case, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(case.given, list)
    if "gpu" in case.given and torch.cuda.is_available():
        pytest.skip("this machine has the accelerator that is to be missing")
    assert main(["--data.dataset", "digits", *case.given]) == 2
    check_line(capsys.readouterr().err, case.key, case.expected, case.nearest)
    assert list(work.iterdir()) == []


# The message


def test_a_fault_is_one_line_of_bounded_length_whatever_was_found() -> None:
    assert str(BadInput("a", "b\n  c", "d\ne")) == r"a: expected b c, found 'd\ne'"
    assert len(str(BadInput("a", "b", list(range(10_000))))) < 150
    assert str(BadInput("a", "b", None)) == "a: expected b, found null"
    assert str(BadInput("a", "b")) == "a: expected b"


def test_a_fault_keeps_its_parts_below_a_prefix_and_in_a_file() -> None:
    fault = BadInput("c", "a number", "x", "try 1").under("b").under("a")
    assert str(fault) == "a.b.c: expected a number, found 'x'; try 1"
    assert str(fault.in_file("f")) == "a.b.c: expected a number, found 'x'; try 1 (in f)"
    assert str(BadInput("c", "a number").in_file("f")) == "c: expected a number; in f"


def test_only_similar_names_are_suggested() -> None:
    assert nearest("jacobain", ["identity", "jacobian"]) == "did you mean 'jacobian'?"
    assert nearest("xyz", ["identity", "jacobian"]) == ""


@pytest.mark.parametrize("value", [True, "1", None, [1], 1 + 2j, float("nan"), float("-inf")])
def test_settings_made_in_python_are_checked_like_configs(value: Any) -> None:
    with pytest.raises(BadInput, match="label_noise: expected a probability"):
        Data(label_noise=value)
    with pytest.raises(BadInput, match="batch_size: expected a whole number"):
        Data(batch_size=value)


def test_whole_numbers_become_real_where_reals_are_declared() -> None:
    data = Data(label_noise=1)
    assert type(data.label_noise) is float
    check_fields(data)  # again: nothing changes
    assert data == Data(label_noise=1.0)
