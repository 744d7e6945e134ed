"""The real client takes the loopback server for its service."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import Loopback

pytestmark = pytest.mark.slow

PREAMBLE = """
import wandb

def start(run_id, **more):
    quiet = wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True,
                           disable_git=True, disable_code=True, init_timeout=3, finish_timeout=3)
    return wandb.init(entity="e", project="p", id=run_id, settings=quiet, **more)

"""

Client = Callable[..., str]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Run a program that uses wandb, in a process of its own."""

    def run(server: Loopback, *program: str) -> str:
        arguments = [sys.executable, "-c", PREAMBLE + textwrap.dedent(program[0])]
        if len(program) > 1:
            arguments = [sys.executable, "-m", "wandb", *program]
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        places = dict.fromkeys(
            ["HOME", "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"],
            str(tmp_path),
        )
        done = subprocess.run(
            arguments,
            env=kept | places | server.environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    return run


LOG = """
run = start("a", group="g", job_type="j", tags=["t"], config={"lr": 0.1}, **MORE)
print(run.starting_step)
for step in STEPS:
    run.log({"loss": 1 / (step + 1)}, step=step)
run.finish()
"""


def log(steps: str, more: str = "{}") -> str:
    return LOG.replace("STEPS", steps).replace("MORE", more)


def test_an_online_run_arrives_is_resumed_and_is_read(client: Client) -> None:
    with Loopback() as server:
        client(server, log("range(3)"))
        assert client(server, log("range(3, 5)", "{'resume': 'must'}")) == "3"
        run = server.runs["a"]
        assert [row["loss"] for row in run.history] == [1 / (step + 1) for step in range(5)]
        assert run.chunks == [(0, 3), (3, 2)]
        assert (run.config, run.group, run.job_type, run.tags) == ({"lr": 0.1}, "g", "j", ["t"])
        assert (run.state, run.exit_code, run.summary["loss"]) == ("finished", 0, 0.2)
        read = client(
            server,
            """
            api = wandb.Api()
            [run] = api.runs("e/p", filters={"group": "g"})
            assert not list(api.runs("e/p", filters={"group": "h"}))
            print(run.id, run.state, run.group, run.job_type, run.config, run.summary["loss"])
            print([row["_step"] for row in run.scan_history()])
            """,
        )
    assert read.splitlines() == ["a finished g j {'lr': 0.1} 0.2", "[0, 1, 2, 3, 4]"]


def test_never_refuses_an_id_that_exists(client: Client) -> None:
    program = """
    try:
        start("a", resume="never")
    except wandb.errors.UsageError as error:
        print(error)
    """
    with Loopback() as server:
        client(server, log("range(1)"))
        assert "already exists" in client(server, program)


def test_offline_fragments_are_synced_one_behind_the_other(client: Client, tmp_path: Path) -> None:
    with Loopback() as server:
        client(server, log("range(3)", "{'mode': 'offline'}"))
        client(server, "sync", *map(str, tmp_path.glob("wandb/offline-run-*")))
        client(server, log("range(3, 5)", "{'mode': 'offline'}"))
        client(server, "sync", *map(str, tmp_path.glob("wandb/offline-run-*")))
        run = server.runs["a"]
    assert run.chunks == [(0, 3), (3, 2)]
    assert [row["_step"] for row in run.history] == [*range(5)]


@pytest.mark.parametrize("fault", ["401", "500", "hang", "die"])
def test_a_fault_fails_the_start_within_its_timeout(client: Client, fault: str) -> None:
    program = """
    try:
        start("a")
    except wandb.errors.CommError:
        print("refused")
    """
    with Loopback() as server:
        server.fail_after(0, fault)  # type: ignore[arg-type]
        assert client(server, program) == "refused"
        assert not server.runs


def test_a_service_that_dies_in_the_middle_keeps_what_had_arrived(client: Client) -> None:
    with Loopback() as server:
        client(server, log("range(3)"))
        server.fail_after(4)
        client(server, log("range(3, 5)", "{'resume': 'allow'}"))
        assert server.requests.count("RunResumeStatus") == 1
        assert len(server.runs["a"].history) in (3, 5)
        server.revive()
        assert client(server, "print(wandb.Api().run('e/p/a').id)") == "a"


def test_a_report_is_saved(client: Client) -> None:
    pytest.importorskip("wandb_workspaces")
    program = """
    import wandb_workspaces.reports.v2 as reports
    panels = reports.PanelGrid(runsets=[reports.Runset("e", "p")],
                               panels=[reports.LinePlot(y=["loss"])])
    saved = reports.Report(entity="e", project="p", title="T", blocks=[panels])
    saved.save()
    saved.save()
    print(reports.Report.from_url(saved.url).title)
    """
    with Loopback() as server:
        assert client(server, program) == "T"
        [view] = server.views.values()
    assert '"panel-grid"' in view["spec"]
