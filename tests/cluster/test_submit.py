"""What is submitted is a pure function of what was asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from helpers import fake_program

from study.base.errors import BadInput
from study.runs.packing import StackPlan
from study.runs.run import Run
from study.sharing.slurm import array_job, decide, option, report_job, scripts_folder, tasks_worth
from study.submit import main

HOSTILE = [
    "plain",
    "100%A",
    "with blank",
    "quo'te",
    'double"quote',
    "dollar$HOME",
    "semi;colon",
    "über",
]


def test_the_array_s_command_in_full() -> None:
    words = array_job(
        "noise", "/a b/noise.yaml", ["--seeds", "50"], Path("/out put"), 8, ["-p", "gpu"]
    )
    assert words == [
        "--array=0-7",
        "--job-name=noise",
        "--output=/out put/slurm/%x-%A_%a.log",
        "--mem-per-cpu=2G",
        "-p",
        "gpu",
        "sweep.sh",
        "/a b/noise.yaml",
        "--seeds",
        "50",
        "--out",
        "/out put",
    ]


def test_the_report_s_command_in_full_has_who_pays_but_no_gpus() -> None:
    slurm = ["-p", "gpu", "--gpus-per-task=1", "--account=lab", "--qos", "low", "--time=1:00:00"]
    assert report_job("noise", Path("/o"), "17", slurm) == [
        "--dependency=afterany:17",
        "--job-name=noise-report",
        "--output=/o/slurm/%x-%j.log",
        "--mem-per-cpu=2G",
        "-p",
        "gpu",
        "--account=lab",
        "--qos",
        "low",
        "report.sh",
        "/o",
    ]
    assert "--dependency" not in " ".join(report_job("noise", Path("/o"), None, slurm))


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["-c", "4"], "4"),
        (["-c4"], "4"),
        (["--cpus-per-task=16"], "16"),
        (["--cpus-per-task", "16"], "16"),
        (["-p", "-c"], ""),
        ([], "2"),
    ],
)
def test_an_option_of_sbatch_in_each_of_its_spellings(words: list[str], value: str) -> None:
    assert option(words, ("-c", "--cpus-per-task"), "2") == value


def test_more_work_is_worth_more_tasks_but_never_more_than_runs() -> None:
    def tasks(seeds: int, epochs: int, gpus: bool = False) -> int:
        runs = [Run.of({"seed": seed, "trainer.max_epochs": epochs}) for seed in range(seeds)]
        return tasks_worth([StackPlan(runs, 64)], 2, gpus)

    assert tasks(16, 200) == 1
    assert 1 < tasks(2_000, 200) < tasks(2_000, 2_000) <= 1_000
    assert tasks(10, 10**6) == 5
    assert tasks(129, 1, gpus=True) == 3


def test_several_processes_a_task_need_fewer_tasks() -> None:
    plans = [StackPlan([Run(seed=seed) for seed in range(8 * 64)], 64)]
    assert decide(plans, ["--gpus-per-task=1"], None) == (8, "512 runs to train in 8 tasks")
    node = ["--gpus-per-task=1", "--ntasks-per-node=4"]
    assert decide(plans, node, None) == (2, "512 runs to train in 2 tasks of 4 processes")
    with pytest.raises(BadInput, match=r"^-- --ntasks-per-node: .* found '0'"):
        decide(plans, ["--ntasks-per-node=0"], None)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_path_reaches_sbatch_as_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / name
    place.mkdir()
    config = place / "small.yaml"
    config.write_text("name: small\nseeds: 3\ndata: {dataset: digits}\nwandb: {mode: off}\n")
    script = f'printf "%s\\n" "$@" >> "{tmp_path}/told"\necho "7;cluster"'
    fake_program(tmp_path / "bin", "sbatch", script, monkeypatch)
    assert main([str(config), "--out", str(place / "out"), "--tasks", "3"]) == 0
    told = (tmp_path / "told").read_text().splitlines()
    assert str(config) in told
    assert told.count(str(place / "out")) >= 2
    assert "--array=0-2" in told
    assert "--dependency=afterany:7" in told
    outputs = [word for word in told if word.startswith("--output=")]
    assert len(outputs) == 2
    assert all(word.replace("%%", "%").startswith(f"--output={place}") for word in outputs)


@pytest.mark.parametrize("memory", ["--mem=4G", "--mem-per-gpu=8G", "--mem-per-cpu=1G"])
def test_memory_that_the_user_asks_for_replaces_the_default(memory: str) -> None:
    words = array_job("noise", "noise.yaml", [], Path("/o"), 2, [memory])
    assert [word for word in words if word.startswith("--mem")] == [memory]


def test_a_job_that_slurm_refuses_leaves_the_folder_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "echo invalid partition >&2; exit 1"
    fake_program(tmp_path / "bin", "sbatch", script, monkeypatch)
    argv = ["configs/random.yaml", "--data.dataset", "digits", "--out", str(tmp_path / "a" / "b")]
    (tmp_path / "a").mkdir()
    assert main(argv) == 2
    assert "invalid partition" in capsys.readouterr().err
    assert list((tmp_path / "a").iterdir()) == []


def test_an_array_whose_report_is_refused_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = 'case "$*" in *report.sh*) echo no >&2; exit 1;; esac\necho 7'
    fake_program(tmp_path / "bin", "sbatch", script, monkeypatch)
    assert main(["configs/random.yaml", "--out", str(tmp_path / "out"), "--tasks", "3"]) == 2
    said = capsys.readouterr()
    assert "job: 7, without a report" in said.out
    assert "sbatch: expected a job that Slurm takes" in said.err


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["nowhere.yaml"], "--config: expected a config file, found 'nowhere.yaml'"),
        (["configs/random.yaml", "--seed", "3"], "did you mean '--seeds'?"),
        (
            ["configs/random.yaml", "--tasks", "0", "--out", "OUT"],
            "--tasks: expected a number of at least 1, found 0",
        ),
        (
            ["configs/random.yaml", "--tasks", "10000", "--out", "OUT"],
            "--tasks: expected a number from 1 to 24, as 24 runs are to train, found 10000",
        ),
        (
            ["configs/random.yaml", "--out", "OUT", "--", "--array=0-3"],
            "-- --array=0-3: expected options of sbatch without an array; give --tasks",
        ),
        (["configs/random.yaml", "--plan"], "--plan: expected options that train; give it to"),
        (["configs/random.yaml", "--shard=1/2"], "--shard=1/2: expected options that train"),
        (
            ["configs/random.yaml", "--data.dataset", "mnist", "--data.root", "OUT/none"],
            "study.submit: data.",
        ),
        (
            ["configs/random.yaml", "--dry-run", "--out", "OUT", "--", "-c", "many"],
            "-- --cpus-per-task: expected a number of at least 1, found 'many'",
        ),
        (["configs/random.yaml", "--scripts", "x"], "--scripts: expected the folder of sweep.sh"),
        (["configs/random.yaml", "--out", "OUT"], "sbatch: expected Slurm's commands"),
    ],
)
def test_bad_input_is_one_line(
    argv: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([word.replace("OUT", str(tmp_path / "out")) for word in argv]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["sweep.sh", "report.sh", "submit.sh"])
def test_the_scripts_are_sound_shell(script: str) -> None:
    path = scripts_folder(None) / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)
