"""Checkpoints and looks beside training: on a CPU, where it gains nothing, the same runs bit by bit."""

import threading

import pytest
from specimens import contents, recipe, replicas, study, train

from prunescope.runs.execution import checkpointer
from prunescope.runs.execution.checkpointer import load_checkpoint
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.packed_runs import train_pack
from prunescope.runs.execution.workbench import Stopped, Workbench
from prunescope.runs.graph.families import during_training
from prunescope.runs.graph.nodes import Trace
from prunescope.runs.machine.packing import Pack
from prunescope.runs.store.plan import plan
from prunescope.runs.store.store import Store
from prunescope.training.background import Lost
from prunescope.training.interventions import At, Prune
from prunescope.training.probes import Curve, RecalibratedAccuracy

PROBE = Curve(every="1it")


@pytest.fixture
def places(monkeypatch):
    """The threads in which probes looked and checkpoints were stored."""
    found = set()
    observe, save = Curve.observe, checkpointer.save_checkpoint

    def looking(self, *args):
        found.add(("look", threading.current_thread().name))
        return observe(self, *args)

    def saving(*args):
        found.add(("save", threading.current_thread().name))
        return save(*args)

    monkeypatch.setattr(Curve, "observe", looking)
    monkeypatch.setattr(checkpointer, "save_checkpoint", saving)
    return found


def bench_at(path, *, overlap=True):
    return Workbench(Store(path), checkpoint_seconds=0.0, overlap=overlap)


def test_everything_that_a_study_stores_is_the_same(tmp_path, monkeypatch, places):
    ensure(study(), store=tmp_path / "one-by-one", workers=1)
    assert {thread for _, thread in places} == {"MainThread"}
    places.clear()
    made = Workbench.__init__
    monkeypatch.setattr(
        Workbench,
        "__init__",
        lambda self, *a, **k: made(self, *a, **{**k, "overlap": True, "checkpoint_seconds": 0.0}),
    )
    ensure(study(), store=tmp_path / "overlapping", workers=1)
    assert places == {("look", "background"), ("save", "background")}
    assert contents(tmp_path / "one-by-one") == contents(tmp_path / "overlapping")
    assert not [*(tmp_path / "overlapping" / "partial").iterdir()]


def test_a_pack_of_runs_is_the_same(tmp_path, places):
    runs = replicas(3)
    for name, overlap in (("one-by-one", False), ("overlapping", True)):
        bench = bench_at(tmp_path / name, overlap=overlap)
        jobs = plan([Trace(probe=PROBE, run=run) for run in runs], bench.store).jobs.values()
        assert train_pack(bench, Pack(tuple(jobs), 3), lambda run, steps: True, lambda said: None)
    assert contents(tmp_path / "one-by-one") == contents(tmp_path / "overlapping")
    assert {thread for _, thread in places} == {"MainThread", "background"}


def test_a_run_that_is_stopped_has_its_checkpoint_and_goes_on_bitwise(tmp_path):
    run, reference = recipe(), bench_at(tmp_path / "reference", overlap=False)
    train(reference, run, probes=(PROBE,))
    bench = bench_at(tmp_path / "stopped")
    with pytest.raises(Stopped):
        train(bench, run, probes=(PROBE,), beat=lambda done: done < 4)
    found = load_checkpoint(bench.store, run.id).progress
    assert found.local >= 4 and all("loss" in row for row in found.traces[PROBE.id])
    assert len(found.traces[PROBE.id]) >= 3
    train(bench_at(tmp_path / "stopped"), run, probes=(PROBE,))
    assert contents(tmp_path / "stopped") == contents(tmp_path / "reference")


def test_who_applies_the_network_as_it_trains_looks_while_nothing_else_does(tmp_path, monkeypatch):
    """Dropout draws from generators of the whole process: what a look beside training draws would change the run."""
    run = during_training(recipe(path="specimens:Normed"), Prune(when=At(at="4it")))
    probe, seen = RecalibratedAccuracy(batches=2, batch=8), []
    observe = RecalibratedAccuracy.observe

    def looking(self, *args):
        seen.append(threading.current_thread().name)
        return observe(self, *args)

    monkeypatch.setattr(RecalibratedAccuracy, "observe", looking)
    for name, overlap in (("one-by-one", False), ("overlapping", True)):
        train(bench_at(tmp_path / name, overlap=overlap), run, probes=(PROBE, probe))
    assert contents(tmp_path / "one-by-one") == contents(tmp_path / "overlapping")
    assert seen == ["MainThread"] * 4  # before and after the event, twice


def test_a_look_that_fails_ends_the_run_and_leaves_no_checkpoint_that_lacks_it(tmp_path, monkeypatch):
    bench = bench_at(tmp_path / "store")
    with monkeypatch.context() as patch, pytest.raises(Lost, match=r"division by zero|goes on from its checkpoint"):
        patch.setattr(type(PROBE), "observe", lambda *_: 1 / 0)
        train(bench, recipe(), probes=(PROBE,))
    stored = load_checkpoint(bench.store, recipe().id)
    assert stored is None or stored.progress.local <= 2
    assert bench.store.manifest(recipe().id) is None
    train(bench, recipe(), probes=(PROBE,))  # another piece of work has a thread of its own
    assert bench.store.manifest(recipe().id)["status"] == "done"
