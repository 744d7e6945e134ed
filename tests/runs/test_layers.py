"""What takes the place of what: values over varied lists, whole optimizers, shipped configs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from study.base.errors import BadInput
from study.fit import main
from study.runs import config
from study.runs.command_line import read
from study.runs.config import find, read_layer, study_in, study_yaml
from study.runs.declaring import choices, expected
from study.runs.schema import schema
from study.runs.settings import Optimizer
from study.runs.study import Study, varied_keys

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted(path for path in CONFIGS.glob("*.yaml") if path.stem != "wandb_sweep")


def write(path: Path, text: str) -> list[str]:
    """Write a config and return the options that read it."""
    path.write_text(text)
    return ["--config", str(path)]


def test_an_option_takes_the_place_of_a_varied_list_and_says_so() -> None:
    request = read(["--config", "random", "--data.label_noise", "0.3"])
    assert request.study.vary == {}
    assert {run.data.label_noise for run in request.study.runs} == {0.3}
    assert request.replaced == [
        "data.label_noise is 0.3, in place of vary.data.label_noise: [0, 1]"
    ]
    assert read(["--config", "random"]).replaced == []


def test_a_later_file_takes_the_place_of_a_varied_list_as_well(tmp_path: Path) -> None:
    first = write(tmp_path / "a.yaml", "vary: {optimizer.lr: [1, 2], data.label_noise: [0, 1]}")
    later = write(tmp_path / "b.yaml", "optimizer: {init_args: {lr: 3}}")
    request = read([*first, *later])
    assert request.study.vary == {"data.label_noise": [0, 1]}
    assert {run.optimizer.init_args["lr"] for run in request.study.runs} == {3.0}
    assert [each.partition(",")[0] for each in request.replaced] == ["optimizer.lr is 3"]
    varied_again = read([*later, *first]).study  # the later layer varies: that counts
    assert [run.optimizer.init_args["lr"] for run in varied_again.runs] == [1, 1, 2, 2]


def test_what_is_replaced_is_said_in_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--config", "random", "--data.label_noise", "0.3", "--plan"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("data.label_noise is 0.3, in place of vary.data.label_noise: [0, 1]")
    assert "12 runs (1 arm x 12 seeds)" in printed


def test_whole_optimizers_vary_and_arms_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    sgd = "class_path: torch.optim.SGD, init_args: {lr: 0.1, momentum: 0.9}"
    text = (
        f"vary: {{optimizer: [{{lr: 0.1}}, {{{sgd}}}, {{class_path: 'torch.optim:SGD', lr: 1}}]}}"
    )
    study = read(write(tmp_path / "a.yaml", text)).study
    assert study.arms == [
        {"optimizer.class_path": "study.Adam", "optimizer.lr": 0.1},
        {
            "optimizer.class_path": "torch.optim.SGD",
            "optimizer.lr": 0.1,
            "optimizer.momentum": 0.9,
        },
        {"optimizer.class_path": "torch.optim.SGD", "optimizer.lr": 1},
    ]
    alone = Study(vary={"optimizer.lr": [0.1]})
    assert study.runs[0].id == alone.runs[0].id
    (tmp_path / "again.yaml").write_text(study_yaml(study))
    again = read(["--config", str(tmp_path / "again.yaml")]).study
    assert [run.id for run in again.runs] == [run.id for run in study.runs]
    replaced = read([*write(tmp_path / "a.yaml", text), "--optimizer.lr", "7"])
    assert [run.optimizer.init_args["lr"] for run in replaced.study.runs] == [7.0]
    assert len(replaced.replaced) == 1


def test_whole_optimizers_vary_in_python_as_they_do_in_configs(tmp_path: Path) -> None:
    optimizers = [Optimizer(lr=0.1), Optimizer("torch.optim.SGD", lr=0.1)]
    study = Study(vary={"optimizer": optimizers})
    assert [run.optimizer for run in study.runs] == optimizers
    (tmp_path / "a.yaml").write_text(study_yaml(study))
    again = read(["--config", str(tmp_path / "a.yaml")]).study
    assert [run.id for run in again.runs] == [run.id for run in study.runs]
    assert again.arms == study.arms


def test_one_optimizers_arguments_differ_where_only_one_has_them() -> None:
    sgd = {"class_path": "torch.optim.SGD", "lr": 1}
    assert varied_keys({"optimizer": [sgd, {**sgd, "momentum": 0.9}]}) == ["optimizer.momentum"]
    assert varied_keys({"data.inputs": ["gaussian"], "optimizer": [sgd, {}]}) == [
        "data.inputs",
        "optimizer.class_path",
        "optimizer.lr",
    ]


def test_a_study_written_by_an_earlier_version_gives_varied_keys_a_value_too(
    tmp_path: Path,
) -> None:
    text = (
        "name: old\nseeds: 2\nvary:\n  optimizer.class_path: [study.Adam, torch.optim.Adam]\n"
        "data: {label_noise: 0.0}\noptimizer:\n  class_path: torch.optim.Adam\n"
        "  init_args: {lr: 0.1, fused: false}\n"
    )
    (tmp_path / "study.yaml").write_text(text)
    (tmp_path / "sources").mkdir()  # as a study's folder has
    study = study_in(tmp_path)
    again = read(["--config", str(tmp_path / "study.yaml")]).study
    assert [run.id for run in again.runs] == [run.id for run in study.runs]
    assert [run.optimizer.class_path for run in study.runs[:2]] == [
        "study.Adam",
        "torch.optim.Adam",
    ]
    with pytest.raises(
        BadInput, match=r"^optimizer.class_path: expected a value or a list in vary"
    ):
        read_layer(str((tmp_path / "study.yaml").rename(tmp_path / "mine.yaml")))


def test_the_first_arm_stands_for_varied_keys_in_the_base(tmp_path: Path) -> None:
    text = "vary: {data.batch_size: [10, 20]}\ndata: {train_examples: 50}"
    study = read(write(tmp_path / "a.yaml", text)).study
    assert [run.data.batch_size for run in study.runs] == [10, 20]  # the default is over 50
    text = "vary: {data.batch_size: [60, 20]}\ndata: {train_examples: 50}"
    with pytest.raises(BadInput, match=r"^vary.data.batch_size: expected at most the 50"):
        read(write(tmp_path / "a.yaml", text))


# Shipped configs and their schema


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_configs_are_sound_and_found_by_name(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find(path.stem).samefile(path)
    study = read(["--config", path.stem]).study
    assert study.name == path.stem
    lines = path.read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=study.schema.json"
    assert lines[1] == f"# python -m study.fit --config configs/{path.name}"
    (tmp_path / path.stem).write_text("name: of-mine")
    assert read(["--config", path.stem]).study.name == "of-mine"  # a file that is there wins


def test_configs_are_found_where_the_package_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "elsewhere.yaml").write_text("name: elsewhere")
    monkeypatch.setattr(config, "SHIPPED", (tmp_path / "no", tmp_path / "configs"))
    assert read(["--config", "elsewhere"]).study.name == "elsewhere"
    with pytest.raises(BadInput, match="did you mean 'elsewhere'"):
        read(["--config", "elsewere"])


def test_the_schema_beside_the_configs_is_that_of_the_declarations() -> None:
    assert json.loads((CONFIGS / "study.schema.json").read_text()) == schema()


SOUND: list[dict[str, Any]] = [
    {"seeds": [1, 2], "stack": "auto", "out": None, "vary": {"data.label_noise": [0, 1]}},
    {"vary": {"data": {"label_noise": [0]}, "optimizer.momentum": [0.9], "evaluate_every": [1]}},
    {"vary": {"optimizer": [{"lr": 1}, {"class_path": "torch.optim.SGD", "momentum": 1}]}},
    {"data": {"dataset": "my.module:source"}, "optimizer": {"init_args": {"lr": 1}}},
    {"trainer": {"callbacks": [{"class_path": "a.B", "init_args": {"c": 1}}]}},
]
WRONG: list[dict[str, Any]] = [
    {"seedz": 3},
    {"data": {"label_noise": 2}},
    {"data": {"label_nois": 1}},
    {"data": {"dataset": "minst"}},
    {"vary": {"data.label_noise": 0.5}},
    {"vary": {"data.label_nois": [1]}},
    {"vary": {"model.backward": ["identiti"]}},
    {"optimizer": {"lrr": 1}},
    {"optimizer": {"class_path": "study.Adam", "momentum": 1}},
    {"trainer": {"callbacks": ["a.B"]}},
    {"seeds": 0},
]


def test_the_schema_takes_every_shipped_config_and_tells_wrong_ones() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema())
    validator = jsonschema.Draft202012Validator(schema())
    for tree in [*(config.yaml_text.load(path.read_text()) for path in SHIPPED), *SOUND]:
        assert list(validator.iter_errors(tree)) == []
    for tree in WRONG:
        assert not validator.is_valid(tree), tree


def test_every_setting_says_what_it_is_and_what_it_has_to_be() -> None:
    for key, field in Study.declared().items():
        assert field.description, key
        assert expected(field).startswith(
            ("a ", "an ", "one of ", "at most ", "true", "two", "the ", "dotted ")
        )
        assert choices(field) or field.title, key
