"""The unstructured pruning of Conv4 (Bartoldson et al. 2019, Figure A3) needs nothing but `Prune`."""

import pytest
import torch
from unit_lab import applied, begin, program

from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds
from prunescope.sparsity.select import Sparsity
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import Every, Prune
from prunescope.training.optim import SGD

SIZE, TOTAL = 2304 * 512, 1_250_144
OTHERS = ("conv1.weight", "conv2.weight", "conv3.weight", "conv4.weight", "fc.weight")
CLOCK = Clock(427, 25 * 427)


@pytest.fixture(scope="module")
def conv4():
    source = synthetic(classes=10, shape=(3, 32, 32), train=4, test=2, separation=2.0)
    task = Task(network=network("prunescope.tasks.nets:Conv4"), data=Data(source=source))
    return task.load(Seeds(), source.load())


@pytest.mark.parametrize("target", ["smallest", "largest"])
def test_sixteen_events_take_equal_parts_of_the_penultimate_layer(conv4, target):
    """After event i of 16 at the ends of epochs 3 to 18, 0.9 i / 16 of the layer is gone, to the nearest weight."""
    prune = Prune(
        amount=Sparsity(final=0.9 * SIZE / TOTAL, curve="linear"),
        target=target,
        exclude=OTHERS,
        when=Every(start="4ep", end="19ep", period="1ep"),
    )
    assert prune.events(CLOCK) == tuple((epoch + 1) * 427 for epoch in range(3, 19))
    plan = program(conv4, prune, steps=25, optimizer=SGD())
    plan = type(plan)(**{**vars(plan), "clock": Clock(1, 25)})
    state = begin(plan).state
    first = state.weights.params["fc1.weight"].abs()
    for event in range(1, 17):
        before = state.weights.masks["fc1.weight"]
        state = applied(plan, state, event + 3)
        mask = state.weights.masks["fc1.weight"]
        assert int((~mask).sum()) == round(0.9 * SIZE * event / 16)
        assert not bool((mask & ~before).any())  # none comes back
        new, left = first[before & ~mask], first[mask]
        assert float(new.max()) <= float(left.min()) if target == "smallest" else float(new.min()) >= float(left.max())
    assert all(bool(state.weights.masks[name].all()) for name in OTHERS)
    assert int((~state.weights.masks["fc1.weight"]).sum()) == 1_061_683
    assert torch.equal(state.weights.params["fc1.weight"] == 0, ~mask)
