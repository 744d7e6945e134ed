"""Describes the code, machine and package versions of a training.

Each of them can change a result's bits, and its run time.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from study.base.errors import BadInput
from study.base.files import files_in, read_json, sha256, write_first
from study.records.hashes import HASHED
from study.runs.events import Machine

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "numpy", "scipy", "pandas", "pyarrow")


def environment(machine: Machine) -> dict[str, Any]:
    """Describe where runs are about to be trained, and by which code (see `Code`).

    ``stacking`` says whether a run in a stack has the bits it has alone: ``bitwise``, or else the
    ``tolerance`` measured, the largest difference of a weight relative to the largest weight.
    """
    device = torch.device(machine.device)
    return {
        "study": _version("study"),
        **code_of(Path(__file__).resolve().parents[1])._asdict(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "precision": machine.precision,
        "products": "one run at a time" if device.type == "cpu" else "batched over runs",
        "matmul": matmul_backend(device),
        "engine": machine.engine,
        "routes": dict(machine.routes),
        "record_hashes": HASHED,
        "stacking": "bitwise" if machine.tolerance == 0 else "tolerance",
        "tolerance": machine.tolerance,
    }


def agreed_routes(
    folder: Path, shapes: Collection[str], measure: Callable[[], Mapping[str, str]]
) -> dict[str, str]:
    """Return how products of some shapes are to be computed in a study's folder.

    They are computed as a processor and a torch like these did it there. Where none did,
    ``measure`` finds the fastest way, once for all tasks of the kind: of two tasks that begin
    together, both take what the first one found.

    Raises
    ------
    BadInput
        A damaged environment.
    """
    here = (processor(), _version("torch"))
    for path in files_in(folder / "environment", "*.json"):
        try:
            found = read_json(path, "an environment of this study")
            there, device = (found["processor"], found["packages"]["torch"]), found["device"]
            routes = dict(found["routes"])
        except BadInput:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(str(path), "an environment of this study", str(error)) from None
        if (there, device) == (here, "cpu") and routes and routes.keys() == set(shapes):
            return routes
    kind = sha256([json.dumps([*here, sorted(shapes)]).encode()])[:12]
    path = folder / "routes" / f"{kind}.json"
    if path.exists():
        return read_json(path, "how products are computed")
    return dict(json.loads(write_first(path, json.dumps(dict(measure())).encode())))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Code(NamedTuple):
    """Which code made a record.

    Attributes
    ----------
    source_sha256
        Of the package's modules, by path: also an installed package has it.
    git_commit
        Of the checkout that the package lies in; None outside one.
    git_dirty
        Whether the modules differ from that commit, new ones included; None outside a checkout.
    """

    source_sha256: str
    git_commit: str | None
    git_dirty: bool | None


@functools.cache
def code_of(package: Path) -> Code:
    """Return which code a package is, as it was when this process first asked.

    Parameters
    ----------
    package
        The package's folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     code_of(Path(folder)).git_dirty is None
    True
    """
    parts = []
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).parts):
        parts += [
            path.relative_to(package).as_posix().encode(),
            sha256([path.read_bytes()]).encode(),
        ]
    commit = changes = None
    if (package.parent / ".git").exists():
        commit = _git(package, "rev-parse", "HEAD")
        modules = ("--untracked-files=all", "--", ":(glob)**/*.py")
        changes = _git(package, "status", "--porcelain", *modules)
    return Code(sha256(parts), commit, None if commit is None or changes is None else changes != "")


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says of a folder; None when it fails or is not there."""
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def processor() -> str:
    """Return the processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def matmul_backend(device: torch.device) -> str:
    """Return what computes matrix products, and the instruction set it may use."""
    if device.type == "cuda":
        return f"cuBLAS, {torch.version.cuda}"
    library = "MKL" if "mkl" in torch.__config__.show().lower() else "another BLAS"
    return f"{library}, {torch.backends.cpu.get_cpu_capability()}"
