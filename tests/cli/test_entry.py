"""The command itself: help, version, wrong options, speed."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from prunescope.base.errors import UsageError
from prunescope.cli import app
from prunescope.cli.problems import Commands

GROUPS = {name: [*getattr(each, "commands", ())] for name, each in typer.main.get_command(app).commands.items()}
COMMANDS = [(name, *part) for name, parts in GROUPS.items() for part in ([[part] for part in parts] or [()])]
PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def test_version(command) -> None:
    result = command("--version")
    assert result.exit_code == 0
    assert result.output.startswith("prunescope 0.")


def test_the_page_names_every_command_and_no_other() -> None:
    lines = re.findall(r"^prunescope (\w+) +(.*)$", PAGE.read_text(), flags=re.M)
    assert {name for name, _ in lines} == set(GROUPS)
    for name, rest in lines:
        if GROUPS[name]:
            named = [part.split()[0] for part in re.split(r"   +", rest)[0].split(" | ")]
            assert sorted(named) == sorted(GROUPS[name])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help(command, words) -> None:
    result = command(*words, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


@pytest.mark.parametrize(
    "words", [("nothing",), ("run",), ("list", "--colour"), ("runs", "show"), ("run", "x", "--workers", "0")]
)
def test_wrong_usage_is_exit_2(command, words) -> None:
    result = command(*words)
    assert result.exit_code == 2
    assert "Usage" in result.output or "Error" in result.output


def test_list_names_every_study(command) -> None:
    from prunescope.papers.catalogue import catalogue

    output = command("list", "--long").output
    for entry in catalogue():
        assert entry.name in output
        assert entry.question in output
        for scale, price in entry.scales.items():
            assert scale in output
            assert price in output


def test_list_is_quick_and_loads_no_torch() -> None:
    code = (
        "import sys\nfrom prunescope.cli import app\napp(['list'], standalone_mode=False)\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'matplotlib')))"
    )
    before = os.times()
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 2.0


def test_debug_raises(tmp_path) -> None:
    done = CliRunner().invoke(app, ["--debug", "runs", "ls", "--store", str(tmp_path / "none")])
    assert isinstance(done.exception, UsageError) and "there is no store" in str(done.exception)


def test_stopped_while_the_words_are_read(command, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(typer.core.TyperGroup, "make_context", stop)
    result = command("list")
    assert result.exit_code == 130 and "stopped; everything reached is stored" in result.output


def test_a_reader_that_is_gone_gets_no_message() -> None:
    app = typer.Typer(cls=Commands)

    @app.command()
    def speak() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    @app.command()
    def other() -> None: ...

    result = CliRunner().invoke(app, ["speak"])
    assert (result.exit_code, result.output) == (141, "")


def test_a_list_that_nobody_reads_to_its_end_is_quiet() -> None:
    words = [sys.executable, "-m", "prunescope", "list"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)
