"""The command `prunescope audit`: what it writes, and every mistake as one message."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from files import dense, examples, pruned
from typer.testing import CliRunner, Result

from prunescope.cli import app
from prunescope.runs.store.housekeeping import garbage
from prunescope.runs.store.store import Store

DATA = ["--data", "data.npz"]
NET = ["--network", "files:Net", *DATA]


def command(*words: str) -> Result:
    """The command on the dense network."""
    return CliRunner().invoke(app, ["audit", "dense.pt", *words])


def test_the_command_writes_a_report_and_says_what_it_did(here):
    done = command("half.pt", *NET, "--twin", "twin.pt", "--groups", "site", "--gate", "max-loss=100", "--out", "out")
    assert done.exit_code == 0, done.stderr
    assert "are exactly 0 and count as removed" in done.stderr and "report: " in done.stdout
    assert (here / "out" / "index.html").exists() and (here / "out" / "gate.xml").exists()
    assert "north" in (here / "out" / "data" / "groups.csv").read_text()
    store = Store("prunescope-store")
    assert garbage(store, store.pins()).runs == () == garbage(store, store.pins()).readings
    listed = CliRunner().invoke(app, ["runs", "ls"]).stdout
    assert listed.count("given") == 3 and "Net" in listed
    broken = command("bad.pt", *NET, "--gate", "max-disagreement=0.01", "--out", "bad")
    assert broken.exit_code == 1 and "broken" in broken.stdout


def test_a_store_that_can_be_only_read_answers_what_it_has(here, monkeypatch):
    words = ["half.pt", *NET, "--out", "out"]
    assert command(*words).exit_code == 0
    page = (here / "out" / "index.html").read_bytes()

    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "link", refuse)  # by which a file gets its name, or by
    monkeypatch.setattr(Path, "replace", lambda path, to: refuse() if "store" in str(to) else path.rename(to))
    again = command(*words)
    assert again.exit_code == 0 and "pinned" not in again.stderr, again.stderr
    assert (here / "out" / "index.html").read_bytes() == page
    bound = command(*words, "--gate", "max-loss=100")
    assert (
        bound.exit_code == 0 and "not pinned, so that `prunescope runs gc` may remove it: cannot write" in bound.stderr
    )
    assert command("twin.pt", *NET).exit_code == 2  # which has to be stored first


def test_a_test_set_is_enough(here):
    x, y = examples(40, 2)
    np.savez("test.npz", test_x=x.numpy(), test_y=y.numpy(), test_site=np.arange(40) % 2)
    words = ["half.pt", "--network", "files:Net", "--data", "test.npz", "--groups", "site"]
    done = command(*words, "--gate", "max-class-loss=100", "--out", "out", "--why", "8")
    assert "No training examples were given" in done.stderr, done.stderr
    assert [f"class {k}: " in done.stdout for k in range(10)] == [True] * 10 and "percentage points" in done.stdout
    assert (here / "out" / "data" / "gate.csv").read_text().count("max-class-loss=100") == 10
    refused = command(*words[:5], "--split", "train")
    assert refused.exit_code == 2 and "needs training examples" in refused.stderr


def test_arguments_of_the_factory_reach_it(here):
    torch.save(dense(width=3).state_dict(), "narrow.pt")
    torch.save(pruned(dense(width=3)).state_dict(), "pruned.pt")
    words = ["pruned.pt", *NET, "--argument", "width=3", "--why", "8"]
    done = CliRunner().invoke(app, ["audit", "narrow.pt", *words, "--out", "out"])
    assert done.exit_code == 0, done.stderr
    assert "conv1.weight" in (here / "out" / "data" / "layers.csv").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["half.pt", *DATA], "dense.pt has tensors and no network"),
        (["gone.pt", *NET], "gone.pt is neither a file that is here"),
        (["half.pt", "--network", "files:Net"], "dense.pt comes without examples"),
        (["half.pt", "--network", "files:Net", "--groups", "site"], "--groups site are columns of the data"),
        (["half.pt", *DATA, "--network", "files:Not"], "cannot be imported"),
        (["half.pt", *DATA, "--argument", "width=3"], "--argument width=3 is of no network"),
        (["half.pt", *NET, "--argument", "width=3"], "conv1.weight is [6, 1, 3, 3], the network has [3, 1, 3, 3]"),
        (["half.pt", *NET, "--argument", "breadth=3"], "it takes width"),
        (["half.pt", *NET, "--gate", "x=1"], "'x' is no bound"),
        (["half.pt", *NET, "--split", "all"], "--split all is none of test, train"),
        (["half.pt", *NET, "--target", "regression"], "--target regression is none of classes, binary"),
        (["half.pt", *NET, "--groups", "sex"], "the data have no groups 'sex'; there are site"),
        (["half.pt", *NET, "--groups", "site", "--split", "train"], "have that column for test only"),
        (["half.pt", "--network", "files:Net", "--data", "nowhere"], "is no folder that is here"),
        (["half.pt", "--network", "files:Net", "--data", "gone.npz"], "data=gone.npz is not there"),
        (["half.pt", *NET, "--out", "data.npz/report"], "data.npz is a file, and a report is a folder"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_message_and_no_report(here, words, says):
    done = command(*words)
    assert done.exit_code == 2 and says in done.stderr, done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert not (here / "prunescope-reports").exists()
