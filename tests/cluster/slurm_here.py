"""A Slurm of two nodes on this machine, for tests: no database, no cgroups, nothing outside it.

Its munged, slurmctld and two slurmds keep everything in one temporary folder and listen on free
ports of the loopback device, so that it disturbs no other Slurm or munge.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("n1", "n2")
GPUS = 4  # a node, in name only: Slurm hands out their numbers
STARTED = ("RUNNING", "COMPLETED")
ACTIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED"}
STARTED_S = 60

# A requeued job waits for about twice cred_expire; less than 5 there means 120. The declared CPUs,
# GPUs and memory are not the machine's: what matters is that several tasks run at once.
CONFIGURATION = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
MailProg=/bin/true
ProctrackType=proctrack/pgid
ReturnToService=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=1024
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
SlurmdTimeout=5
KillWait=2
MinJobAge=3600
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdSpoolDir={folder}/spool-%n
GresTypes=gpu
NodeName=DEFAULT CPUs=8 RealMemory=65536 Gres=gpu:{gpus}
NodeName=n1 NodeHostname=here1 NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=n2 NodeHostname=here2 NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=here Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Task:
    """What Slurm says about a job, or about one task of an array.

    ``status`` is the batch script's exit status, or minus the number of the signal that ended it.
    """

    state: str
    status: int
    restarts: int
    reason: str
    node: str


class Slurm:
    """A Slurm that runs while its context is open.

    ``environment`` is where Slurm's commands reach this Slurm and no other.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self.environment: dict[str, str] = {}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Slurm:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the daemons, and return when both nodes are idle."""
        # A socket's path has at most 107 characters, so the folder is none of pytest's.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o711)  # munged insists
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        configuration = self.folder / "slurm.conf"
        configuration.write_text(
            CONFIGURATION.format(
                host=socket.gethostname().split(".")[0],
                ports=free_ports(1 + len(NODES)),
                folder=self.folder,
                gpus=GPUS,
            )
        )
        for number in range(GPUS):
            (self.folder / f"gpu{number}").symlink_to("/dev/null")
        gpus = f"Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n"
        (self.folder / "gres.conf").write_text(gpus)
        outer = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        self.environment = {**outer, "SLURM_CONF": str(configuration)}
        try:
            self._start_daemons()
        except BaseException:
            self.stop()
            raise

    def _start_daemons(self) -> None:
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
        options = [f"--{option}={self.folder}/munge.{end}" for option, end in files.items()]
        self._daemon("munged", "--foreground", *options)
        deadline = time.monotonic() + STARTED_S
        while not (self.folder / "munge.socket").exists():
            self._pause(deadline)
        self._daemon("slurmctld", "-D")
        for node in NODES:
            self._daemon("slurmd", "-D", "-N", node)
        while set(self.command("sinfo", "-hN", "-o%t", check=False).split()) != {"idle"}:
            self._pause(deadline)

    def _daemon(self, *argv: str) -> None:
        log = self.folder / f"{len(self._daemons)}-{argv[0]}.out"
        with log.open("wb") as out:
            self._daemons.append(
                subprocess.Popen(
                    argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
                )
            )

    def _pause(self, deadline: float) -> None:
        if time.monotonic() > deadline or any(d.poll() is not None for d in self._daemons):
            raise RuntimeError(f"Slurm did not start\n{self.logs()}")
        time.sleep(0.1)

    def logs(self, lines: int = 30) -> str:
        """Return the ends of the daemons' logs."""
        parts = []
        for path in sorted(self.folder.glob("*.out")):
            parts += [f"--- {path.name}", *path.read_text().splitlines()[-lines:]]
        return "\n".join(parts)

    def stop(self) -> None:
        """Kill all jobs and daemons, and remove the folder."""
        for daemon in self._daemons:
            daemon.kill()
            daemon.wait()
        # Jobs outlive the daemons by design; all of them have this Slurm's configuration.
        mark = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # ended meanwhile
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(
        self,
        *argv: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> str:
        """Run one of Slurm's commands, or what uses them, and return its output."""
        done = subprocess.run(
            [str(word) for word in argv],
            env={**self.environment, **(env or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{argv}: {done.stderr}")
        return done.stdout.strip()

    def sbatch(
        self, *argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """Submit a job with ``sbatch``'s options and script, and return its number."""
        return self.command("sbatch", "--parsable", *argv, cwd=cwd, env=env)

    def tasks(self, job: str) -> dict[str, Task]:
        """Return the state of a job, or of each task of an array, by its name in Slurm."""
        fields = "JobArrayID:|,State:|,exit_code:|,RestartCnt:|,Reason:|,NodeList:|"
        tasks = {}
        for line in self.command("squeue", "-hr", "-tall", "-j", job, "-O", fields).splitlines():
            name, state, status, restarts, reason, node, _ = line.split("|")
            tasks[name] = Task(
                state, os.waitstatus_to_exitcode(int(status)), int(restarts), reason, node
            )
        return tasks

    def wait(
        self, job: str, timeout: float = 60, states: Collection[str] | None = None
    ) -> dict[str, Task]:
        """Wait until all tasks of a job are in one of some states, or have ended."""
        deadline = time.monotonic() + timeout
        while True:
            tasks = self.tasks(job)
            found = {task.state for task in tasks.values()}
            if found and (found <= set(states) if states else not found & ACTIVE):
                return tasks
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {timeout:g} s job {job} is at {tasks}\n{self.logs()}")
            time.sleep(0.1)

    def requeue(self, job: str) -> None:
        """Stop a job or a task of an array, and start it again at once."""
        self.command("scontrol", "requeue", job)
        self.hurry(job)

    def hurry(self, job: str) -> None:
        """Start a job or a task that was requeued without its wait."""
        # The time of its start is set when it has ended: what is set before would be lost.
        deadline = time.monotonic() + 60
        while not all(task.state == "PENDING" for task in self.tasks(job).values()):
            if all(t.restarts and t.state in STARTED for t in self.tasks(job).values()):
                return  # by Slurm itself
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job} is not requeued: {self.tasks(job)}\n{self.logs()}")
            time.sleep(0.1)
        try:
            self.command("scontrol", "update", f"JobId={job}", "StartTime=now")
        except RuntimeError as error:
            if "no longer pending" not in str(error):  # Slurm itself has started it meanwhile
                raise

    def cancel(self, *argv: str) -> None:
        """Cancel or signal jobs with ``scancel``'s options."""
        self.command("scancel", *argv)

    def down(self, node: str) -> None:
        """Let a node fail; its jobs are requeued where they allow it."""
        self.command("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def resume(self, node: str) -> None:
        """Take a node that is down into service again."""
        self.command("scontrol", "update", f"NodeName={node}", "State=RESUME")


def missing() -> str:
    """Return what keeps Slurm from being started here, in words; nothing when it can."""
    absent = [name for name in (*DAEMONS, "sbatch") if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} cannot be found"
    return "" if os.geteuid() == 0 else "only root can start its daemons"


def free_ports(number: int) -> list[int]:
    """Return ports of the loopback device that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
