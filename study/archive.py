"""``python -m study.archive FOLDER``: packs a study's records for a deposit."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.command import DONE, Parser, run_command
from study.base.files import sha256
from study.base.text import counted
from study.fitting.standing import check_idle
from study.records.archiving import archive


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the archive is written, 2 on bad input."""
    return run_command(_main, argv, "study.archive")


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m study.archive",
        description="Pack a study's records into a zip archive: the same records always give the "
        "same bytes, without a machine's paths and times, and without what only training needs.",
    )
    parser.add_argument("folder", type=Path, help="a study's folder")
    parser.add_argument("--out", type=Path, help="the archive (default: FOLDER.zip)")
    arguments = parser.parse_args(argv)
    folder = arguments.folder
    check_idle(folder)
    whole = folder.resolve()
    out = arguments.out or whole.with_name(f"{whole.name}.zip")
    files = archive(folder, out)
    size = out.stat().st_size / 2**20
    print(f"{out}: {counted(files, 'file')}, {size:,.1f} MiB")
    with out.open("rb") as file:
        print(f"sha256 {sha256(iter(lambda: file.read(2**20), b''))}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
