"""A reading that takes long says so while it works, can be stopped, and is priced by what one like it took."""

import time

import pytest
import torch
from specimens import recipe, train

from prunescope import Measure
from prunescope.measures import GraNd, HessianTraceEstimate, Risk
from prunescope.measures.curvature.surface import Sample
from prunescope.runs.execution import workbench
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.preparation import prepare
from prunescope.runs.execution.status import Display
from prunescope.runs.execution.workbench import Stopped, Workbench
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.machine import pricing
from prunescope.runs.store.plan import plan


class Slow(Measure):
    """Says at each of its looks that it goes on."""

    looks: int = 8

    def measure(self, problem, weights):
        for _ in range(self.looks):
            until = time.process_time() + 0.01
            while time.process_time() < until:
                pass
            problem.beat()
        return {"looks": torch.tensor(float(self.looks))}


class Seen(Display):
    def __init__(self):
        self.shares = []

    def update(self, status):
        self.shares += [share for name, share in status.running.values() if name.startswith("Slow")]


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(workbench, "READING_BEAT", 0.0)


def test_a_long_reading_shows_its_progress(store, eager):
    seen = Seen()
    ensure(Reading(measure=Slow(), state=final(recipe())), store=store, workers=1, display=seen)
    assert len(seen.shares) >= 8 and seen.shares[-1] > 0 and max(seen.shares) < 1


@pytest.mark.parametrize(
    "measure", [Slow(), Risk(split="train"), HessianTraceEstimate()], ids=lambda m: type(m).__name__
)
def test_it_can_be_stopped_and_nothing_is_stored(store, eager, measure):
    bench, run = Workbench(store), recipe()
    train(bench, run)
    reading, beats = Reading(measure=measure, state=final(run)), []
    with pytest.raises(Stopped):
        bench.read(reading, lambda milliseconds: bool(beats.append(milliseconds)))
    assert len(beats) == 1 and not store.has_reading(reading.id)
    bench.read(reading)
    assert store.has_reading(reading.id)


def test_it_is_priced_by_what_one_like_it_took(store, monkeypatch):
    monkeypatch.setattr(pricing, "DEAR_SECONDS", 0.05)
    first, twin = (Reading(measure=Slow(), state=final(recipe(length=length))) for length in ("1ep", "2ep"))
    before = prepare(plan([twin], store), store, workers=1).alone[twin.id]
    ensure(first, store=store, workers=1)
    after = prepare(plan([twin], store), store, workers=1).alone
    assert before < 0.05 <= 0.08 <= after[twin.id] < 5
    assert len(list(store.root.glob("prices/readings-*.json"))) == 1


def test_measures_say_how_dear_they_are(store):
    run = recipe()  # 96 training and 64 test examples
    estimate = HessianTraceEstimate(probes=50, sample=Sample(examples=32))
    readings = [Reading(measure=measure, state=final(run)) for measure in (Risk(), Slow(), estimate, GraNd())]
    alone = prepare(plan(readings, store), store, workers=1).alone
    passes = [alone[reading.id] / alone[readings[0].id] for reading in readings]
    assert passes == pytest.approx([1, 1, 6 * 50 * 32 / 96, 4])
