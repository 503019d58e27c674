"""A measure or probe of a user's own changes nothing that others see, and returns numbers by name."""

import numpy as np
import pytest
import torch
from chance import drawn

from prunescope import SGD, Constant, Data, Measure, Probe, Reading, Recipe, Risk, Seeds, Task, digits, final, network
from prunescope.base.errors import UsageError
from prunescope.base.tree import equal
from prunescope.measures.measure import State, plain
from prunescope.training.engines.engine import Loop
from prunescope.training.run import train


def careless(problem, weights):
    """Works in place wherever it gets hold of something, and leaves its hooks behind."""
    for leaf in (*weights.params.values(), problem.train.y, problem.test.y, problem.test.inputs.tensor):
        leaf.zero_()
    for _, labels in problem.split("test").batches(2):
        labels.fill_(1)
    for training in (True, False):
        problem.model.template(train=training).register_forward_hook(lambda module, inputs, outputs: 0 * outputs)


class Zeroing(Probe):
    made: str

    def steps(self, clock):
        return (2,)

    def observe(self, problem, state, running_loss):
        careless(problem, state.weights)
        return {
            "number": {"a": torch.tensor(2.0), "b": np.float32(3), "drawn": drawn()},
            "vector": {"a": torch.ones(2)},
            "none": None,
        }[self.made]


def test_a_probe_sees_a_copy_and_returns_numbers(lab):
    program = lab.program(steps=5)
    alone = train(program, lab.begin(program))
    again, seen = (
        train(program, lab.begin(program), probes=(Zeroing(made="number"),), engine=Loop()) for _ in range(2)
    )
    assert equal(alone.state.weights.params, seen.state.weights.params)
    assert again.traces == seen.traces
    (rows,) = seen.traces.values()
    assert [(row["a"], row["b"]) for row in rows] == [(2.0, 3.0)]
    for made, words in (("vector", "'a', which is no number"), ("none", "a NoneType")):
        with pytest.raises(UsageError, match=f"Zeroing.observe returned {words}"):
            train(program, lab.begin(program), probes=(Zeroing(made=made),))


class Careless(Measure):
    """The norm of the gradient over the test set, and then havoc."""

    def measure(self, problem, weights):
        params = {name: leaf.requires_grad_() for name, leaf in weights.params.items()}
        x, y = next(problem.split("test").batches(100))
        loss = problem.loss(problem.model.apply(params, weights.buffers, x, train=False)[0], y).mean()
        slopes = torch.autograd.grad(loss, list(params.values()))
        with torch.no_grad():
            careless(problem, weights)
        return {"norm": sum(slope.square().sum() for slope in slopes).sqrt()}


def test_a_measure_may_ask_for_gradients_and_leaves_nothing_behind():
    task = Task(network=network("prunescope.tasks.nets:LeNet", hidden=(4,), inputs=64), data=Data(source=digits()))
    run = Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=64, length="1ep")
    problem = task.load(Seeds(), task.data.source.load())
    state = State(problem, problem.model.fresh(0))
    with torch.no_grad():
        before = Reading(measure=Risk(), state=final(run)).take(state)
        first, second = (Reading(measure=Careless(), state=final(run)).take(state) for _ in range(2))
        assert Reading(measure=Risk(), state=final(run)).take(state) == before
    assert first == second and first["norm"] > 0


class Said(Measure):
    def measure(self, problem, weights):
        return RETURNED["value"]


RETURNED = {"value": None}


@pytest.mark.parametrize(
    "value, message",
    [
        (torch.tensor(1.0), r"Said returned a Tensor; .*by name"),
        (None, "returned a NoneType"),
        ({}, "returned nothing"),
        ({1: torch.tensor(1.0)}, r"returned the names \[1\]; .*by name"),
        ({"error": "low"}, "no numbers"),
    ],
)
def test_a_measure_returns_tensors_by_name(lab, monkeypatch, value, message):
    monkeypatch.setitem(RETURNED, "value", value)
    with pytest.raises(UsageError, match=message):
        plain(Said().measure(lab.lenet, lab.lenet.model.fresh(0)), "Said")


def test_numbers_of_a_measure_are_taken_as_tensors(lab, monkeypatch):
    monkeypatch.setitem(RETURNED, "value", {"error": 0.25, "each": [1, 2]})
    values = plain(Said().measure(lab.lenet, lab.lenet.model.fresh(0)), "Said")
    assert values["error"].item() == 0.25 and values["each"].tolist() == [1, 2]
