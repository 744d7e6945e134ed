"""Bad command lines, and folders that cannot be a study's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bad_input import Case, answers, check_line, checks_of

from study.base.errors import BadInput
from study.fit import main
from study.records.writing import check_folder

NAMES = "letters, digits, '.', '_' and '-', starting with a letter or digit"
SEEDS = "a number of at least 1, or a list of whole numbers of at least 0"
FROM_1 = "a whole number of at least 1"
WIDTHS = "a list of layer widths of at least 1, e.g. [256]"

CASES = [
    # The command line
    Case("no such file", ["--config", "x.yaml"], "--config", "a config file, found 'x.yaml'"),
    Case("file is a folder", ["--config=."], "--config", "a config file, found '.'"),
    Case("config without a file", ["--config"], "--config", "a config file; no value was given"),
    Case(
        "config without --config",
        ["configs/noise.yaml"],
        "configs/noise.yaml",
        "an option of python -m study.fit",
        "--config configs/noise.yaml",
    ),
    Case(
        "shard 5/4",
        ["--shard", "5/4"],
        "--shard",
        "k/n with k from 1 to n, n at most 100000, e.g. 1/4, found",
    ),
    Case("shard of many", ["--shard", "1/100000000000"], "--shard", "n at most 100000"),
    Case("shard of one more", ["--shard", "1/100001"], "--shard", "n at most 100000"),
    Case("shard in other digits", ["--shard", "١/٤"], "--shard", "k/n with k from 1 to n"),
    Case("shard without a number", ["--shard"], "--shard", "k/n; no value was given"),
    Case("mode sync", ["--wandb.mode=sync"], "wandb.mode", "one of offline, online, off, found"),
    Case(
        "vary cut",
        ["--vary.model.loss", "[1,"],
        "vary.model.loss, line 1",
        "YAML, found '[1,'",
    ),
    Case(
        "a part of a schedule",
        ["--optimizer.schedule.class_path", "torch.optim.lr_scheduler.ExponentialLR"],
        "optimizer.schedule.class_path",
        "the schedule as a whole, found 'torch.optim.lr_scheduler.ExponentialLR'; give "
        "--optimizer.schedule '{class_path: ..., init_args: {...}}'",
    ),
    Case("word", ["train"], "train", "an option of python -m study.fit; see --help"),
    Case(
        "misspelt option", ["--seed", "3"], "--seed", "an option of python -m study.fit", "--seeds"
    ),
    Case("hyphen", ["--keep-weights=no"], "--keep-weights", "an option", "--keep_weights"),
    Case("subject left out", ["--label_noise=1"], "--label_noise", "an", "--data.label_noise"),
    Case(
        "subject at once",
        ["--data", "{}"],
        "--data",
        "an option of python -m study.fit",
        "--data.root",
    ),
    Case("seeds abc", ["--seeds", "abc"], "seeds", f"{SEEDS}, found 'abc'"),
    Case("seeds without a number", ["--seeds"], "--seeds", f"{SEEDS}; no value was given"),
    Case("hidden 3", ["--model.hidden", "3"], "model.hidden", f"{WIDTHS}, found 3"),
    Case("hidden cut", ["--model.hidden", "[3"], "model.hidden, line 1", "YAML, found '[3'"),
    Case("2.5 epochs", ["--trainer.max_epochs=2.5"], "trainer.max_epochs", f"{FROM_1}, found 2.5"),
    Case("keep_weights 7", ["--keep_weights", "7"], "keep_weights", "true or false, found 7"),
    Case(
        "noise without",
        ["--data.label_noise"],
        "--data.label_noise",
        "a probability in [0, 1]; no value was given",
    ),
    Case("noise 1.5", ["--data.label_noise=1.5"], "data.label_noise", "in [0, 1], found 1.5"),
    Case("loss", ["--model.loss=squared"], "model.loss", "one of", "squared_error"),
    Case("batch", ["--data.train_examples=50"], "data.batch_size", "at most the 50 training"),
    Case("lrr", ["--optimizer.lrr=1"], "optimizer.lrr", "one of lr, betas", "lr"),
    Case("lr abc", ["--optimizer.lr=abc"], "optimizer.lr", "a number above 0, found 'abc'"),
    Case(
        "optimizer by name",
        ["--optimizer=SGD"],
        "optimizer",
        "a mapping of keys to values, found 'SGD'",
    ),
    Case("vary 3", ["--vary", "3"], "vary", "a mapping of keys to values, found 3"),
    Case("vary 2", ["--vary", "{data.label_noise: [2]}"], "vary.data.label_noise", "found 2"),
    Case(
        "vary.x",
        ["--vary.data.nois=[0]"],
        "vary.data.nois",
        "one of dataset, root, label_noise,",
        "label_noise",
    ),
    Case(
        "plan with a value",
        ["--plan=3"],
        "--plan",
        "--help says; argument --plan: ignored explicit argument '3'",
    ),
    Case("two faults", ["--seeds=0", "--name=a/b"], "name", NAMES),
    # The folder; `furnish` makes what stands in it
    Case("out of nobody", ["--out", "~nosuchuser/a"], "out", "a folder, found '~nosuchuser/a'"),
    Case("out with a null byte", ["--out", "a\0b"], "out", "a folder, found 'a\\x00b'"),
    Case("half a character in out", ["--out", "a\udcffb"], "out", "a folder, found 'a\\udcffb'"),
    Case("null byte in root", ["--data.root", "a\0b"], "data.root", "a folder, found 'a\\x00b'"),
    Case("half one in root", ["--data.root", "\udcff"], "data.root", "a folder, found '\\udcff'"),
    Case("config with a null byte", ["--config", "a\0"], "--config", "a config file, found"),
    Case("long config", ["--config", "a" * 300], "--config", "a config file, found"),
    Case("shipped config misspelt", ["--config", "randon"], "--config", "a config", "random"),
    Case(
        "value and list",
        ["--vary.data.label_noise=[0, 1]", "--data.label_noise=1"],
        "data.label_noise",
        "a value or a list in vary",
    ),
    Case("add to a number", ["--seeds=2", "--seeds+=7"], "seeds", "a list to add to, found 2"),
    Case("no YAML", ["--optimizer.x", "[1"], "optimizer.x, line 1", "YAML, found '[1'"),
    Case(
        "no for an optimizer",
        ["--optimizer.class_path", "torch.optim.SGD", "--optimizer.nesterov", "no"],
        "optimizer.nesterov, line 1",
        "YAML, found 'no'; expected true or false, or text in quotes, found no",
    ),
    Case("out is a file", ["--out", "file"], "out", "a folder; file is a file: choose another"),
    Case("out below a file", ["--out", "file/a/b"], "out", "a folder; file is a file: choose"),
    Case(
        "out where nobody writes", ["--out", "/proc/nope"], "out", "that can be written to, found"
    ),
    Case("no out", ["--out", ""], "out", "a folder, found ''"),
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


answered, test_rows_differ, test_bad_input_is_answered_with_one_line_and_leaves_nothing = checks_of(
    CASES
)


def test_a_sound_plan_imports_nothing_heavy_either(tmp_path: Path) -> None:
    sound = Case("sound", ["--out", "new", "--plan"], "", "")
    answer = answers([sound], tmp_path)["sound"]
    assert answer["status"] == 0
    assert "1 run (1 arm x 1 seed)" in answer["out"]
    assert (answer["err"], answer["imported"], answer["left"]) == ("", [], False)


def test_the_command_itself_ends_with_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "study.fit", "--data.label_noise", "1.5"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    check_line(done.stderr, "data.label_noise", "a probability in [0, 1], found 1.5")
    assert list(tmp_path.iterdir()) == []


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
