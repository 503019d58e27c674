"""An intervention of a user's own keeps to what an intervention is, or is refused with the fix."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from chance import drawn

from prunescope import (
    At,
    Augmentation,
    Intervention,
    Measure,
    Noise,
    Prune,
    Remaining,
    Score,
)
from prunescope.base.errors import UsageError
from prunescope.base.streams import seeded
from prunescope.base.tree import equal
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.inplace import InPlace as Lean
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


class Trees(Own):
    def apply(self, state, context):
        return state.replace(weights=dict(state.weights.params))


class Counts(Own):
    def events(self, clock):
        return tuple(np.arange(1, 3))


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
    Trees: r"Trees.apply returned a dict for the weights; give state.weights.replace",
    One: r"returned 3; it must return whole steps",
}


def trained(lab, *interventions):
    program = lab.program(*interventions)
    return train(program, begin(program, program.problem.model.fresh(0), 0))


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_what_breaks_the_contract_is_refused_with_the_fix(lab, kind):
    with pytest.raises(UsageError, match=REFUSED[kind]):
        trained(lab, kind())


class Noisy(Own):
    """Draws from every default generator there is."""

    def apply(self, state, context):
        return with_params(state, **{"fc.bias": state.weights.params["fc.bias"] + drawn()})


class ByChance(Score):
    def scores(self, weights, context):
        return {name: torch.rand_like(weights.params[name]) + drawn() for name in weights.masks}


class Shifting(Augmentation):
    def __call__(self, x, generator):
        return x + drawn()


@pytest.mark.parametrize("engine", [Loop(), Lean()], ids=["loop", "in place"])
@pytest.mark.parametrize("what", ["intervention", "score", "augmentation"])
def test_draws_from_default_generators_are_those_of_the_run_and_leave_no_trace(lab, what, engine):
    chosen = Prune(score=ByChance(), amount=Remaining(fraction=0.5), when=At(at="3it"), allow_collapse=True)
    acts = {"intervention": (Noisy(),), "score": (chosen,)}
    program = lab.program(*acts.get(what, ()), steps=5)
    if what == "augmentation":
        program = replace(program, problem=replace(program.problem, augmentation=(Shifting(),)))
    found = []
    for seed in (0, 1):
        with seeded(seed):
            before = drawn()
        with seeded(seed):
            found.append(train(program, lab.begin(program), engine=engine).state.weights)
            assert drawn() == before
    assert equal(found[0].params, found[1].params)


class Unlike(Score):
    made: str
    seen: dict[str, list[int]] = {"before": []}

    def scores(self, weights, context):
        if self.made == "kept":
            self.seen["before"].append(1)
        if self.made == "in place":
            next(iter(weights.params.values())).zero_()
        numbers = {name: leaf.abs() for name, leaf in weights.params.items() if name in weights.masks}
        if self.made in ("rows", "complex"):
            return {name: leaf.sum(1) if self.made == "rows" else leaf * 1j for name, leaf in numbers.items()}
        return [numbers] if self.made == "list" else {name: leaf.numpy() for name, leaf in numbers.items()}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("in place", ".scores changes the weights in place"),
        ("kept", r"\(made='kept'\) became Unlike\(made='kept', seen={'before': \[1\]}\), .*; change no list"),
        ("list", ".scores returned a list; it"),
        ("arrays", ".scores returned a dict of ndarray;"),
        ("rows", r".scores returned float32 \[3\] for fc.weight; it must return real numbers \[3, 5\]"),
        ("complex", r".scores returned complex64 \[3, 5\] for fc.weight"),
    ],
)
def test_a_score_returns_new_tensors_by_name(lab, made, words):
    program = lab.program(Prune(score=Unlike(made=made), amount=Remaining(fraction=0.5), when=At(at="3it")), steps=5)
    with pytest.raises(UsageError, match=f"Unlike{words}"):
        train(program, lab.begin(program))


class Resized(Augmentation):
    made: str

    def __call__(self, x, generator):
        return {"fewer": x[:2], "double": x.double(), "none": None}[self.made]


@pytest.mark.parametrize(("made", "words"), [("fewer", r"float32 \[2, "), ("double", "float64"), ("none", "NoneType")])
def test_an_augmentation_returns_as_many_images_of_the_same_numbers(lab, made, words):
    program = lab.program(steps=5)
    program = replace(program, problem=replace(program.problem, augmentation=(Resized(made=made),)))
    with pytest.raises(UsageError, match=f"Resized returned (torch.)?{words}.* for a batch"):
        train(program, lab.begin(program))


def test_what_keeps_it_trains_and_acts_once(lab):
    assert trained(lab, Counts()).state.step == 20
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
