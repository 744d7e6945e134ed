"""A study written out as a config is read as the same study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from test_run import VALUES, facts

from study.fit import main
from study.runs.command_line import read
from study.runs.config import study_yaml
from study.runs.declaring import nested
from study.runs.settings import Optimizer
from study.runs.study import Study

Write = Callable[..., list[str]]

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TRICKY = st.sampled_from(["1e3", "1E-3", ".5e1", "2024-01-01", "null", "yes", "0x1F", "1:30", "~"])
PLAIN = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT | TRICKY
ARGUMENTS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda name: name not in RESERVED),
    PLAIN | st.floats(allow_nan=False, allow_infinity=False) | st.lists(PLAIN, max_size=3),
    max_size=3,
)
RESERVED = {"class_path", "init_args"}
PATH = st.from_regex(r"[a-z][a-z0-9_]*(\.[A-Z][A-Za-z0-9]*)+", fullmatch=True)
CLASSES = st.lists(
    st.fixed_dictionaries({"class_path": PATH}, optional={"init_args": ARGUMENTS}), max_size=2
)


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """Draw any study: one run's facts, or a few varied, by any optimizer."""
    base = draw(facts())
    base |= {"trainer.callbacks": draw(CLASSES), "trainer.logger": draw(CLASSES)}
    base["data.root"] = draw((TEXT | TRICKY).filter(str.strip))
    if draw(st.booleans()):
        base = {key: base[key] for key in base if not key.startswith("optimizer.")}
        base["optimizer.class_path"] = "torch.optim.SGD"
        base |= {f"optimizer.{key}": value for key, value in draw(ARGUMENTS).items()}
    allowed = sorted(key for key in VALUES if not key.startswith("optimizer.") or key in base)
    keys = draw(st.lists(st.sampled_from(allowed), unique=True, max_size=2))
    if "model.hidden" in keys or not base.get("model.hidden", [1]):  # dropout needs a hidden layer
        base.pop("model.dropout", None)
        keys = [key for key in keys if key != "model.dropout"]
    vary = {
        key: draw(st.lists(VALUES[key], min_size=1, max_size=3, unique_by=repr_of_value))
        for key in keys
    }
    return Study(
        name=draw(
            TRICKY.filter(str.isalnum)
            | st.from_regex(
                r"[A-Za-z0-9][\w.-]*\Z", fullmatch=True, alphabet=st.characters(codec="ascii")
            )
        ),
        seeds=draw(
            st.integers(1, 4)
            | st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3, unique=True)
        ),
        vary=vary,
        **nested(base),
        stack=draw(st.just("auto") | st.integers(1, 100)),
        checkpoint_every=draw(st.integers(1, 100)),
        keep_weights=draw(st.booleans()),
        products=draw(st.sampled_from(["auto", "blas", "onednn"])),
    )


def repr_of_value(value: Any) -> str:
    """Return what equal values share: 1 and 1.0 are the same fact."""
    return repr(float(value)) if isinstance(value, int) else repr(value)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written") / "study.yaml"


@given(studies())
@settings(max_examples=80, deadline=None)
def test_a_study_written_out_is_read_as_the_same_runs(written: Path, study: Study) -> None:
    text = study_yaml(study)
    written.write_text(text, encoding="utf-8")
    again = read(["--config", str(written)]).study
    assert [run.id for run in again.runs] == [run.id for run in study.runs]
    assert study_yaml(again) == text
    assert again.data.root == study.data.root
    assert again.trainer.callbacks == study.trainer.callbacks
    assert yaml.safe_load(text)["name"] == study.name  # as the folder's reader sees it


def test_print_config_gives_a_config_that_runs_again(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [
        *write("seeds: 2\noptimizer: {lr: 0.1}", "vary: {data.label_noise: [0, 1]}"),
        *["--optimizer.betas", "[0.5, 0.6]", "--out", "out", "--data.root", "1e3"],
    ]
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--print_config"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    first, again = read(argv), read(write(printed))
    assert [run.id for run in again.study.runs] == [run.id for run in first.study.runs]
    assert again.study == first.study
    assert (again.out, again.study.data.root) == (Path("out"), "1e3")
    assert read([*write(printed), "--seeds", "5"]).study.seeds == 5


def test_print_config_checks_values_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print_config", "--data.label_noise", "1.5"]) == 2
    assert capsys.readouterr().out == ""


def test_a_study_made_in_python_is_written_with_tuples_as_lists() -> None:
    optimizer = Optimizer(init_args={"betas": (0.5, 0.5)})
    study = Study(seeds=(0, 1), vary={"model.hidden": ((8,), (4, 4))}, optimizer=optimizer)
    tree = yaml.safe_load(study_yaml(study))
    assert tree["seeds"] == [0, 1]
    assert tree["vary"] == {"model.hidden": [[8], [4, 4]]}
    assert tree["optimizer"]["betas"] == [0.5, 0.5]
