"""Config files and the command line: layers, types, and the config a study is written as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from study.base.errors import BadInput
from study.fit import main
from study.runs import command_line as config
from study.runs.command_line import parser, read
from study.runs.run import fact_keys
from study.runs.study import Study

Write = Callable[..., list[str]]


# Defaults, layers, options


def test_without_a_config_the_defaults_are_the_packages_own() -> None:
    request = read([])
    assert request.study == Study()
    assert (request.out, request.plan) == (Path("results/study"), False)


def test_later_configs_and_then_options_override_key_by_key(write: Write) -> None:
    options = write(
        "name: a\nseeds: 2\ndata: {label_noise: 0.1, inputs: gaussian}\nmodel: {hidden: [8]}",
        "name: b\ndata: {label_noise: 0.2, normalize: none}",
        "stop: {train_accuracy: 1}",
    )
    study = read(["--data.label_noise", "0.3", *options, "--model.hidden", "[4, 4]"]).study
    assert (study.name, study.seeds) == ("b", 2)
    data = study.data
    assert (data.label_noise, data.inputs, data.normalize) == (0.3, "gaussian", "none")
    assert study.model.hidden == (4, 4)
    assert study.stop.train_accuracy == 1.0


def test_an_optimizers_arguments_are_layered_as_well_wherever_they_are_written(
    write: Write,
) -> None:
    options = write(
        "optimizer: {lr: 0.1, betas: [0.5, 0.6]}",
        "optimizer: {init_args: {eps: 1e-3}}",
        "optimizer: {class_path: study.Adam, weight_decay: 0.2}",
    )
    args = read([*options, "--optimizer.lr", "0.3"]).study.optimizer.init_args
    assert (args["lr"], args["betas"], args["eps"]) == (0.3, (0.5, 0.6), 1e-3)
    assert args["weight_decay"] == 0.2
    args = read([*options, "--optimizer.init_args.lr", "0.4"]).study.optimizer.init_args
    assert (args["lr"], args["eps"]) == (0.4, 1e-3)


def test_another_optimizer_class_leaves_the_old_ones_arguments_behind(write: Write) -> None:
    options = write("optimizer: {lr: 0.1, betas: [0.5, 0.6]}")
    sgd = ["--optimizer.class_path", "torch.optim.SGD", "--optimizer.init_args.lr", "0.2"]
    optimizer = read([*options, *sgd]).study.optimizer
    assert (optimizer.class_path, optimizer.init_args) == ("torch.optim.SGD", {"lr": 0.2})
    options += write("optimizer: {class_path: torch.optim.SGD, momentum: 0.9, lr: 0.5}")
    optimizer = read(options).study.optimizer
    assert optimizer.init_args == {"lr": 0.5, "momentum": 0.9}
    assert read([*options, *sgd]).study.optimizer.init_args == {"lr": 0.2, "momentum": 0.9}


def test_a_later_vary_replaces_an_earlier_one_and_an_option_sets_one_list(write: Write) -> None:
    options = write("vary: {data.label_noise: [0, 1]}", "vary: {model.hidden: [[8], []]}")
    assert read(options).study.vary == {"model.hidden": [[8], []]}
    both = {"model.hidden": [[8], []], "optimizer.lr": [0.001, 0.1]}
    assert read([*options, "--vary.optimizer.lr", "[1e-3, 0.1]"]).study.vary == both
    assert read([*options, "--vary.optimizer.init_args.lr=[1e-3, 0.1]"]).study.vary == both
    assert read([*options, "--vary.model.hidden", "[[4]]"]).study.vary == {"model.hidden": [[4]]}
    several = [*options, "--vary.model.hidden=[[4]]", "--vary.model.backward", "[identity]"]
    study = read([*several, "--vary.model.loss", "[squared_error]"]).study
    assert len(study.runs) == 1
    assert study.vary.keys() == {"model.hidden", "model.backward", "model.loss"}
    replaced = read([*options, "--vary", "{data.inputs: [gaussian]}"]).study.vary
    assert replaced == {"data.inputs": ["gaussian"]}
    assert read([*options, "--vary", "{}"]).study.vary == {}


def test_vary_may_be_nested_like_the_rest_of_a_config(write: Write) -> None:
    nested = "vary: {data: {label_noise: [0, 1]}, optimizer: {init_args: {lr: [1, 2]}}}"
    assert read(write(nested)).study.vary == {"data.label_noise": [0, 1], "optimizer.lr": [1, 2]}


def test_a_list_can_be_added_to_on_the_command_line(write: Write) -> None:
    options = write("seeds: [0, 3]\ntrainer: {callbacks: [{class_path: a.B}]}")
    more = ["--seeds+", "7", "--seeds+=[8, 9]", "--trainer.callbacks+", "{class_path: c.D}"]
    study = read([*options, *more]).study
    assert study.seeds == [0, 3, 7, 8, 9]
    assert study.trainer.callbacks == [{"class_path": "a.B"}, {"class_path": "c.D"}]


OPTIONS = [
    (["--seeds", "3"], lambda study: study.seeds, 3),
    (["--seeds", "[0, 3, 7]"], lambda study: study.seeds, [0, 3, 7]),
    (["--name", "1e3"], lambda study: study.name, "1e3"),
    (["--out", "a b"], lambda study: study.out, "a b"),
    (["--stack", "4"], lambda study: study.stack, 4),
    (["--stack", "auto"], lambda study: study.stack, "auto"),
    (["--checkpoint_every", "5"], lambda study: study.checkpoint_every, 5),
    (["--keep_weights", "false"], lambda study: study.keep_weights, False),
    (["--products", "blas"], lambda study: study.products, "blas"),
    (["--engine", "plain"], lambda study: study.engine, "plain"),
    (["--evaluate_every", "5"], lambda study: study.evaluate_every, 5),
    (["--data.label_noise", "0.5"], lambda study: study.data.label_noise, 0.5),
    (["--data.label_noise=.5"], lambda study: study.data.label_noise, 0.5),
    (["--data.label_noise", "1"], lambda study: study.data.label_noise, 1.0),
    (["--data.train_examples", "500"], lambda study: study.data.train_examples, 500),
    (["--data.train_examples", "null"], lambda study: study.data.train_examples, None),
    (["--data.root", "~/sets"], lambda study: study.data.root, "~/sets"),
    (["--model.hidden", "[512,512,512]"], lambda study: study.model.hidden, (512, 512, 512)),
    (["--model.hidden", "[]"], lambda study: study.model.hidden, ()),
    (["--stop.train_cross_entropy=1e-2"], lambda study: study.stop.train_cross_entropy, 0.01),
    (["--trainer.max_epochs", "5"], lambda study: study.trainer.max_epochs, 5),
    (["--optimizer.lr", "0.1"], lambda study: study.optimizer.init_args["lr"], 0.1),
    (["--optimizer.lr", "1e-3"], lambda study: study.optimizer.init_args["lr"], 0.001),
    (["--optimizer", "{lr: 1e-3}"], lambda study: study.optimizer.init_args["lr"], 0.001),
    (["--vary", "{data.label_noise: [0, 1]}"], lambda study: len(study.runs), 2),
]


@pytest.mark.parametrize(("argv", "find", "value"), OPTIONS, ids=[" ".join(o[0]) for o in OPTIONS])
def test_an_option_overrides_a_key_with_the_keys_type(
    argv: list[str], find: Callable[[Study], object], value: object
) -> None:
    found = find(read(argv).study)
    assert (found, type(found)) == (value, type(value))


def test_every_key_has_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    keys = [key for key in fact_keys() if not key.startswith(("seed", "optimizer."))]
    keys += ["name", "seeds", "vary", "stack", "checkpoint_every", "keep_weights", "products"]
    keys += ["engine", "out"]
    keys += [
        "optimizer.class_path",
        "optimizer.lr",
        "data.root",
        "trainer.accelerator",
        "trainer.callbacks",
        "trainer.logger",
    ]
    for key in [*keys, "config", "plan", "print_config"]:
        assert f"--{key} " in printed, key
    for key in ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay", "fused"):
        assert f"--optimizer.{key} " in printed


def test_help_begins_with_examples_and_goes_subject_by_subject() -> None:
    lines = parser().format_help().splitlines()
    assert lines[4].startswith("  python -m study.fit --config random")
    heads = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    subjects = ["options", "study", "data", "model", "stop", "trainer", "optimizer", "wandb"]
    assert heads == [f"{subject}:" for subject in subjects]
    words = " ".join(" ".join(lines).split())
    assert "--data.label_noise a probability in [0, 1] Probability with which each" in words
    assert "redrawn at random. (default: 0.0)" in words


# What YAML leaves open


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        ("1.5e3", 1500.0),
        ("1.e-3", 1e-3),
        (".5e-3", 5e-4),
        (".1", 0.1),
        ("+1e-3", 1e-3),
        ("1", 1.0),
    ],
)
def test_numbers_are_numbers_however_they_are_written(
    text: str, value: float, write: Write
) -> None:
    study = read(write(f"optimizer: {{lr: {text}}}\nvary: {{optimizer.eps: [{text}, 7]}}")).study
    assert study.optimizer.init_args["lr"] == value
    assert [run.optimizer.init_args["eps"] for run in study.runs] == [value, 7.0]


def test_other_optimizers_get_numbers_as_well(write: Write) -> None:
    options = write(
        "optimizer: {class_path: torch.optim.SGD, init_args: {lr: 1e-1, nesterov: true}}"
    )
    assert read(options).study.optimizer.init_args == {"lr": 0.1, "nesterov": True}


def test_a_date_is_a_name_and_quoted_text_stays_text(write: Write) -> None:
    assert read(write("name: 2024-01-01")).study.name == "2024-01-01"
    assert read(write("name: '1e3'")).study.name == "1e3"
    assert read(write("name: '007'")).study.name == "007"


def test_paths_may_be_in_any_language(write: Write) -> None:
    study = read(write("data: {root: données}\nout: 結果 1")).study
    assert (study.data.root, study.out) == ("données", "結果 1")


def test_anchors_and_a_byte_order_mark_are_yaml_too(write: Write) -> None:
    options = write("\ufeffdata: &data {label_noise: 0.1}", "data: {<<: {inputs: gaussian}}")
    data = read(options).study.data
    assert (data.label_noise, data.inputs) == (0.1, "gaussian")


def test_a_tilde_in_out_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert read(["--out", "~/results"]).out == Path("/home/somebody/results")


# Plans and exit statuses


def test_a_plan_says_runs_stacks_parameters_memory_and_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    vary = "{data.label_noise: [0, 1], model.hidden: [[8], []]}"
    few = ["--data.dataset", "digits", "--seeds", "3", "--stack", "4", "--trainer.max_epochs", "2"]
    assert main(["--plan", "--vary", vary, *few]) == 0
    printed = capsys.readouterr().out
    assert "12 runs (4 arms x 3 seeds), 0 of them already recorded" in printed
    steps = 6 * 2 * 15  # runs, epochs, batches of 100 in 1,437 examples
    for stack, layers, parameters in ((1, "64-8-10", 610), (2, "64-10", 650)):
        said = f"stack {stack}: 6 runs, 4 at once; layers {layers}, {parameters} parameters a run,"
        assert f"{said} at most {steps} steps, about " in " ".join(printed.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BadInput("a", "b"), 2, "study.fit: a: expected b\n"),
        (
            KeyboardInterrupt(),
            130,
            "study.fit: stopped at once; go on with: python -m study.fit --seeds 3\n",
        ),
        (OSError(28, "No space left"), 1, "study.fit: [Errno 28] No space left; go on with: "),
        (MemoryError(), 1, "study.fit: MemoryError; go on with: python -m study.fit --seeds 3\n"),
    ],
)
def test_the_exit_status_says_how_it_ended(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(argv: list[str]) -> None:
        raise error

    monkeypatch.setattr(config, "read", fail)
    assert main(["--seeds", "3"]) == status
    printed = capsys.readouterr()
    assert printed.err.startswith(said)
    assert printed.err.count("\n") == 1
    assert printed.out == ""
