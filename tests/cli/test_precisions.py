"""`plan` names the other precision where it is faster, and where it is slower says nothing."""

from types import SimpleNamespace

import pytest

import prunescope as ps
from prunescope.cli.orders import Machine
from prunescope.cli.plans import faster_precision
from prunescope.runs.store.plan import plan
from prunescope.runs.store.store import Store

MACHINE = Machine(workers=1, device="cpu", engine=None, stack=None)


@pytest.fixture
def advice(tmp_path, monkeypatch):
    """What is said of a plan that takes 100 s, and in the other precision so many seconds."""

    def say(precision, other, *, instructions, device="cpu", clock=100.0):
        net = ps.network("prunescope.tasks.nets:LeNet", hidden=(8,), inputs=16, classes=4)
        task = ps.Task(network=net, data=ps.Data(source=ps.synthetic(train=64, test=32)))
        fields = {"optimizer": ps.SGD(), "schedule": ps.Constant(lr=0.1), "batch": 32, "length": "2ep"}
        store, run = Store(tmp_path), ps.Recipe(task=task, precision=precision, **fields)
        wanted = plan([ps.Reading(measure=ps.Risk(), state=ps.final(level)) for level in ps.imp(run, levels=1)], store)

        def cost(rest, *args, **kwargs):
            assert {node.precision for node in rest.runs} == {"float32", "bfloat16"} - {precision}
            return SimpleNamespace(clock=other)

        monkeypatch.setattr("prunescope.runs.machine.devices.has_bfloat16", lambda: instructions)
        monkeypatch.setattr("prunescope.runs.execution.preparation.cost", cost)
        return faster_precision(wanted, store, Machine(**{**vars(MACHINE), "device": device}), clock)

    return say


def test_a_faster_precision_is_named_with_what_it_would_take(advice):
    assert "-s precision=bfloat16 it would take about 40 s." in advice("float32", 40.0, instructions=True)
    emulated = advice("bfloat16", 10.0, instructions=False)
    assert "-s precision=float32 it would take about 10 s" in emulated and "emulates it" in emulated


def test_nothing_is_said_where_it_is_not_faster_or_not_looked_for(advice):
    assert advice("float32", 95.0, instructions=True) == ""
    assert advice("float32", 10.0, instructions=False) == ""
    assert advice("float32", 10.0, instructions=True, device="cuda") == ""
    assert advice("float32", 1.0, instructions=True, clock=30.0) == ""
