"""Every command says what is wrong in one line, and its output cannot stop it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from study.base.command import BAD_INPUT, DONE, FAILED, INTERRUPTED, Parser, run_command
from study.base.errors import BadInput
from study.base.interrupt import StoppedAtOnce


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (BadInput("seeds", "a number", 0), BAD_INPUT, "x: seeds: expected a number, found 0"),
        (KeyboardInterrupt(), INTERRUPTED, "x: stopped at once; again a b"),
        (StoppedAtOnce(), INTERRUPTED, "x: stopped at once; again a b"),
        (OSError("disk\nfull"), FAILED, "x: disk full; again a b"),
        (MemoryError(), FAILED, "x: MemoryError; again a b"),
    ],
)
def test_what_a_command_raises_is_one_line_and_a_status(
    raised: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(argv: object) -> int:
        raise raised

    found = run_command(command, ["a", "b"], "x", lambda argv: f"again {' '.join(argv)}")
    assert found == status
    assert capsys.readouterr().err == f"{line}\n"


def test_a_misspelt_option_is_bad_input_with_the_nearest() -> None:
    parser = Parser(prog="x")
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--runs", type=int)
    with pytest.raises(BadInput, match=r"--wach: expected an option of x; did you mean '--watch'"):
        parser.parse_args(["--wach"])
    with pytest.raises(BadInput, match=r"--runs: .*invalid int value: 'many'"):
        parser.parse_args(["--runs", "many"])


WRITES = """
import sys
from study.base.command import run_command
def command(argv):
    for number in range(100_000):
        print("line", number)
    print("done", file=sys.stderr)
    return 0
sys.exit(run_command(command, [], "x"))
"""


def test_a_closed_output_does_not_stop_a_command() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == DONE
    assert said == "done\n"


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_an_output_that_was_closed_from_the_start_takes_no_file_s_place(
    closed: str, tmp_path: Path
) -> None:
    code = f"""
import os, sys
from study.base.command import run_command
def command(argv):
    with open({str(tmp_path / "file")!r}, "w", encoding="utf-8") as file:
        assert file.fileno() > 2
        os.system("echo from a child; echo from a child >&2")
        print("said"), print("said", file=sys.stderr, flush=True)
        file.write("content")
    return 0
sys.exit(run_command(command, [], "x"))
"""
    done = subprocess.run(["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, code], check=False)
    assert done.returncode == DONE
    assert (tmp_path / "file").read_text() == "content"


def test_a_disk_that_takes_no_output_is_a_failure() -> None:
    code = (
        "import sys; from study.base.command import run_command\n"
        "sys.exit(run_command(lambda argv: print('lost') or 0, [], 'x'))"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode != DONE
    assert done.stderr.startswith(b"x: [Errno 28] No space left on device\n")


def test_a_sign_that_the_encoding_lacks_is_written_in_plain_letters() -> None:
    code = (
        "from study.base.command import run_command\n"
        "said = '1 \\u00b1 2 \\u2013 3 \\u00e9 \\udcc3\\udca9'\n"
        "run_command(lambda argv: print(said) or 0, [], 'x')"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
    )
    # A path's bytes that the encoding cannot read are written as they are.
    assert done.stdout.split(b"\n")[0] == b"1 +- 2 - 3 ? \xc3\xa9"
