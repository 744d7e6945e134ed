"""The report in W&B: as JSON without any network, and saved on a server of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback

from reports.claims import load_claims
from reports.figures import FIGURES
from study.fit import main as fit

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own use of pydantic
    pytest.importorskip("wandb_workspaces.reports.v2")

CONFIG = """
name: small
seeds: 6
vary:
  data.label_noise: [0, 1]
data: {dataset: digits, train_examples: 100}
model: {hidden: [8]}
trainer: {max_epochs: 2}
wandb: {mode: "off", project: ours, GROUP}
"""
# A name that the library's own language of filters would not leave as it is.
GROUP = 'it\'s "lr=0.1" > all'
KEY = "0123456789abcdef" * 2 + "01234567"

NO_NETWORK = """
import sys
asked = []
def hook(event, arguments):
    # The client's own network is in a process that it starts.
    service = event == "subprocess.Popen" and "wandb" in str(arguments)
    if service or (event.startswith("socket.") and event != "socket.__new__"):
        asked.append(event)
        raise AssertionError(event)
sys.addaudithook(hook)
from reports.wandb.__main__ import main
status = main(sys.argv[1:])
print(asked + [name for name in ("torch", "pytorch_lightning") if name in sys.modules])
sys.exit(status)
"""

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two studies' folders, trained once for all tests."""
    folder = tmp_path_factory.mktemp("results")
    group = f"entity: us, group: {json.dumps(GROUP)}"
    for name, config in {
        "first": CONFIG.replace("GROUP", group),
        "second": CONFIG.replace("small", "other").replace(", GROUP", ""),
    }.items():
        (folder / f"{name}.yaml").write_text(config)
        assert fit(["--config", str(folder / f"{name}.yaml"), "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run a program in a process of its own, with nothing of a user's W&B around it."""

    def run(*arguments: str, code: str = "", **environment: str) -> Any:
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        places = dict.fromkeys(
            ["HOME", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"], str(tmp_path)
        )
        root = str(Path(__file__).parents[2])
        program = ["-c", code] if code else ["-m", "reports.wandb"]
        return subprocess.run(
            [sys.executable, *program, *arguments],
            env=kept | places | {"PYTHONPATH": root} | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def dry_run(command: Command, out: Path, *arguments: str) -> dict[str, Any]:
    done = command(*arguments, "--dry-run", "--out", str(out), code=NO_NETWORK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(out), "[]"]
    content: dict[str, Any] = json.loads(out.read_text())
    return content


def blocks(saved: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in saved["spec"]["blocks"] if block["type"] == kind]


def filters(grid: dict[str, Any]) -> list[tuple[str, str, str]]:
    [runset] = grid["metadata"]["runSets"]
    return [(f["key"]["name"], f["op"], f["value"]) for f in runset["filters"]["filters"]]


def panels(grid: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = grid["metadata"]["panelBankSectionConfig"]["panels"]
    return found


@pytest.mark.slow
def test_a_dry_run_needs_no_network_and_gives_the_same_bytes(
    results: Path, command: Command, tmp_path: Path
) -> None:
    first, again = tmp_path / "a.json", tmp_path / "b.json"
    saved = dry_run(command, first, str(results / "first"))
    dry_run(command, again, str(results / "first"))
    assert first.read_bytes() == again.read_bytes()
    assert (saved["entityName"], saved["projectName"]) == ("us", "ours")
    text = "\n".join(block["content"] for block in blocks(saved, "markdown-block"))
    for claim in load_claims():
        assert text.count(claim.sentence) >= 2  # other settings have rows of their own
    assert "12 runs of 1 study (small), 6 seeds: 12 finished." in text
    assert "torch" in text
    assert str(results) not in first.read_text()
    grid, figures = blocks(saved, "panel-grid")
    assert filters(grid) == [
        ("group", "=", GROUP),
        ("jobType", "!=", "report"),
        ("state", "=", "finished"),
    ]
    assert filters(figures) == [("group", "=", GROUP), ("jobType", "=", "report")]
    [runset] = grid["metadata"]["runSets"]
    assert runset["project"] == {"entityName": "us", "name": "ours"}
    assert runset["grouping"] == [{"section": "config", "name": "arm.value"}]
    *lines, bars = panels(grid)
    assert [line["config"]["metrics"] for line in lines] == [
        ["train_cross_entropy"],
        ["train_accuracy"],
        ["test_cross_entropy"],
        ["test_accuracy"],
        ["gradient_exact_cosine"],
    ]
    assert {line["config"]["xAxis"] for line in lines} == {"epoch"}
    assert bars["config"]["metrics"] == ["epochs_to_fit"]
    for panel in (*lines, bars):
        config = panel["config"]
        grouped = (config["groupBy"], config["groupAgg"], config["groupArea"])
        assert grouped == ("arm.value", "mean", "stddev")
    images, claims = panels(figures)
    keys = images["config"]["mediaKeys"]
    assert "figures/learning_curves" in keys
    assert set(keys) <= {f"figures/{name}" for name in FIGURES}
    assert "claims" in json.dumps(claims)
    ids = [panel["__id__"] for each in (grid, figures) for panel in panels(each)]
    assert len(set(ids)) == len(ids)


@pytest.mark.slow
def test_several_studies_have_a_runset_each_and_the_command_line_goes_first(
    results: Path, command: Command, tmp_path: Path
) -> None:
    folders = [str(results / "first"), str(results / "second")]
    saved = dry_run(
        command, tmp_path / "r.json", *folders, "--project", "theirs", "--title", "A title"
    )
    first, second, _ = blocks(saved, "panel-grid")
    assert filters(first)[0] == ("group", "=", GROUP)
    assert filters(second)[0] == ("group", "=", "other")
    assert first["metadata"]["runSets"][0]["project"] == {"entityName": "us", "name": "theirs"}
    assert second["metadata"]["runSets"][0]["project"] == {"name": "theirs", "entityName": None}
    assert (saved["projectName"], saved["displayName"]) == ("theirs", "A title")


@pytest.mark.slow
def test_it_is_saved_with_a_run_that_holds_figures_and_claims(
    results: Path, command: Command
) -> None:
    with Loopback() as server:
        done = command(str(results / "second"), **server.environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{server.url}/tester/ours/reports/other--")
        assert done.stderr == ""
        [run], [view] = server.runs.values(), server.views.values()
    assert (run.project, run.group, run.job_type) == ("ours", "other", "report")
    assert (run.state, run.exit_code) == ("finished", 0)
    [table] = [content for name, content in run.files.items() if "claims" in name]
    sentences = [row[0] for row in json.loads(table)["data"]]
    assert list(dict.fromkeys(sentences)) == [claim.sentence for claim in load_claims()]
    grid, figures = blocks({"spec": json.loads(view["spec"])}, "panel-grid")
    assert grid["metadata"]["runSets"][0]["project"]["entityName"] == "tester"
    assert filters(figures)[2] == ("name", "=", run.id)
    for key in panels(figures)[0]["config"]["mediaKeys"]:
        assert run.summary[key]["_type"] == "image-file"
        assert run.files[run.summary[key]["path"]].startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "requests"), [("401", 0), ("hang", 0), ("die", 4)])
def test_a_server_that_fails_is_one_line(
    fault: str, requests: int, results: Path, command: Command
) -> None:
    with Loopback() as server:
        server.fail_after(requests, fault)  # type: ignore[arg-type]
        environment = server.environment | {"WANDB_API_KEY": KEY}
        started = time.monotonic()
        done = command(str(results / "second"), **environment)
        took = time.monotonic() - started
        assert not server.views
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("reports.wandb: ")
    assert "could not be sent to W&B" in line
    assert KEY not in done.stderr
    assert took < 40  # at most 20 of them with the server


@pytest.mark.slow
def test_a_key_is_missing(results: Path, command: Command) -> None:
    with Loopback() as server:
        environment = {k: v for k, v in server.environment.items() if k != "WANDB_API_KEY"}
        done = command(str(results / "second"), **environment)
        assert not server.requests
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "No API key configured" in line


# Bad input

Refuse = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Return a function that runs the command in this process and gives the line it ends with."""

    def run(*arguments: str) -> str:
        from reports.wandb.__main__ import main

        for name in ("WANDB_SILENT", "WANDB_HTTP_TIMEOUT", "WANDB_ERROR_REPORTING"):
            monkeypatch.setenv(name, "5")  # the command sets them for its process
        assert main([*arguments, "--dry-run"]) == 2
        said = capsys.readouterr()
        [line] = said.err.splitlines()
        assert said.out == ""
        return line

    return run


def test_the_library_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Refuse
) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    line = refused(str(tmp_path))
    assert line.startswith("reports.wandb: wandb-workspaces: expected to be installed")
    assert "pip install 'study[wandb]'" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--title", "t" * 129], "title: expected at most 128 characters"),
        (["--project", "a/b"], "wandb.project: expected a printable name"),
        (["--entity", "a b"], "wandb.entity: expected the name of a user or team"),
        (["--claims", "none.yaml"], "none.yaml: expected a file of claims"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], said: str, results: Path, refused: Refuse
) -> None:
    assert refused(str(results / "first"), *arguments).startswith(f"reports.wandb: {said}")


def test_a_folder_that_is_no_study(refused: Refuse, tmp_path: Path) -> None:
    assert "expected a study's folder" in refused(str(tmp_path))
