"""An intervention of a user's own keeps to what an intervention is, or is refused with the fix."""

import pytest
import torch

from prunescope import Intervention, Measure, Noise, Prune, Remaining
from prunescope.base.errors import UsageError
from prunescope.measures.measure import plain
from prunescope.training.run import begin, train


class Own(Intervention):
    at: int = 3

    def events(self, clock):
        return (self.at,)

    def apply(self, state, context):
        return state


def with_params(state, **params):
    return state.replace(weights=state.weights.replace(params={**state.weights.params, **params}))


class Halves(Own):
    def apply(self, state, context):
        return with_params(state, **{name: leaf / 2 for name, leaf in state.weights.params.items()})


class InPlace(Own):
    def apply(self, state, context):
        state.weights.params["fc.weight"].data.mul_(0.5)
        return state


class Assigned(Own):
    def apply(self, state, context):
        state.weights.params["fc.weight"] = state.weights.params["fc.weight"] * 0.5
        return state


class Momentum(Own):
    def apply(self, state, context):
        state.opt["momentum"]["fc.weight"].zero_()
        return state


class Nothing(Own):
    def apply(self, state, context):
        pass


class OnlyWeights(Own):
    def apply(self, state, context):
        return state.weights


class Renamed(Own):
    def apply(self, state, context):
        return with_params(state, mine=torch.zeros(1))


class Cut(Own):
    def apply(self, state, context):
        return with_params(state, **{"fc.weight": state.weights.params["fc.weight"][:1]})


class Counted(Own):
    def apply(self, state, context):
        return state.replace(step=state.step + 1)


class Graph(Own):
    def apply(self, state, context):
        return with_params(state, **{"fc.weight": state.weights.params["fc.weight"].clone().requires_grad_()})


class Unzeroed(Own):
    def apply(self, state, context):
        masks = {**state.weights.masks, "fc.weight": torch.zeros_like(state.weights.masks["fc.weight"])}
        return state.replace(weights=state.weights.replace(masks=masks))


class Late(Own):
    def events(self, clock):
        return range(clock.total, clock.total + 2)


class Early(Own):
    at: int = -1


class Fraction(Own):
    def events(self, clock):
        return (clock.total / 2,)


class One(Own):
    def events(self, clock):
        return 3


REFUSED = {
    InPlace: r"InPlace.apply changes params\['fc.weight'\] in place.*state.replace",
    Assigned: r"changes params\['fc.weight'\] in place",
    Momentum: r"changes opt\['momentum'\]\['fc.weight'\] in place",
    Nothing: r"Nothing.apply returned NoneType; it must return the state after the event",
    OnlyWeights: r"returned Weights; it must return the state",
    Renamed: r"returned a state with another, params\['mine'\]",
    Cut: r"torch.float32 \[1, 5\] for params\['fc.weight'\], which is torch.float32 \[3, 5\]",
    Counted: r"a state of step 4 at step 3",
    Graph: r"params\['fc.weight'\] with a graph; detach",
    Unzeroed: r"removed or held weights of fc.weight that are not 0.*params\[name\] \* mask",
    Late: r"Late.events\(clock\) names step 21, and the run has steps 0 to 20",
    Early: r"names step -1",
    Fraction: r"returned \(10.0,\); it must return whole steps",
    One: r"returned 3; it must return whole steps",
}


def trained(lab, *interventions):
    program = lab.program(*interventions)
    return train(program, begin(program, program.problem.model.fresh(0), 0))


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_what_breaks_the_contract_is_refused_with_the_fix(lab, kind):
    with pytest.raises(UsageError, match=REFUSED[kind]):
        trained(lab, kind())


def test_what_keeps_it_trains_and_acts_once(lab):
    before, after = trained(lab, Own()), trained(lab, Halves())
    assert after.state.step == 20
    assert not torch.equal(before.state.weights.params["fc.weight"], after.state.weights.params["fc.weight"])


def test_the_packages_own_are_not_copied_at_every_event(lab, monkeypatch):
    monkeypatch.setattr("prunescope.training.interventions.contract._leaves", lambda state: 1 / 0)
    trained(lab, Prune(amount=Remaining(fraction=0.2)), Noise(std=0.1, length="3it"))
    with pytest.raises(ZeroDivisionError):
        trained(lab, Own())


def test_classes_without_their_methods_cannot_be_made():
    class Lacking(Intervention):
        pass

    class Silent(Measure):
        pass

    with pytest.raises(TypeError, match=r"abstract class Lacking .*apply"):
        Lacking()
    with pytest.raises(TypeError, match=r"abstract class Silent .*measure"):
        Silent()


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
        ({1: torch.tensor(1.0)}, "by name"),
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
