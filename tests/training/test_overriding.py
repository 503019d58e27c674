"""Whatever a subclass overrides is used by every engine: no engine knows a class better than its methods."""

from dataclasses import replace

import pytest
import torch
from stack_lab import SPARSE, assert_close
from test_interventions import OF_EACH_CLASS, program_for, tensors

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.streams import replicate
from prunescope.sparsity.scores import Magnitude, Random, ShuffledMagnitude
from prunescope.sparsity.select import Amount, Remaining, Sparsity
from prunescope.sparsity.unit_scores import FilterNorm, UnitScore
from prunescope.tasks.data.augmentation import Augmentation, CropFlip, RandomResizedCrop
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.stack import Stack
from prunescope.training.interventions import At, Every, Intervention, LayerSchedule, Prune, PruneUnits, When
from prunescope.training.optim import SGD, Adam, AdamW, Optimizer
from prunescope.training.optimizers.wrapper import Clipped
from prunescope.training.probes import AroundEvents, Curve, Probe
from prunescope.training.run import Member, train, train_together
from prunescope.training.schedules import (
    Constant,
    Cosine,
    Milestones,
    Schedule,
    Stretched,
    Warmup,
)
from prunescope.training.stopping import AtEnd, LossBelow, Stop

FAST = Kernels(fused=True, merged=True, by_hand=jit.available(), sparse="numba", train_below=1.0, least=1)
STEPS = 12


def kept(params, keep):
    return {name: leaf * keep[name] if name in keep else leaf for name, leaf in params.items()}


def smaller(self, parent, grads, opt, params, *, keep, lr):
    moved, state = parent(self, grads, opt, params, keep=keep, lr=lr)
    return {name: 0.9 * leaf for name, leaf in moved.items()}, state


def pushed(self, parent, params):
    return {part: {n: leaf + 1 for n, leaf in leaves.items()} for part, leaves in parent(self, params).items()}


def rescaled(self, parent, state, context):
    moved = parent(self, state, context)
    params = {name: 1.5 * leaf for name, leaf in moved.weights.params.items()}
    return moved.replace(weights=moved.weights.replace(params=params))


OVERRIDES = {
    (Optimizer, "update"): smaller,
    (Optimizer, "init"): pushed,
    (Schedule, "at"): lambda self, parent, step, clock: 3 * parent(self, step, clock),
    (Stop, "reached"): lambda self, parent, loss: True,
    (Augmentation, "__call__"): lambda self, parent, x, generator: 2 * parent(self, x, generator),
    (Amount, "remaining_after"): lambda self, parent, remaining, **more: remaining // 3,
    (Intervention, "apply"): rescaled,
    (When, "steps"): lambda self, parent, clock: (1,),
    (Probe, "observe"): lambda self, parent, *given: {"mine": 1.0},
    (Probe, "steps"): lambda self, parent, clock: (5,),
}
FILTERS = (LayerSchedule(layer="conv", start="3it", end="7it", fraction=0.5, period="4it"),)
SCHEDULES = (
    Constant(lr=0.05),
    Cosine(lr=0.05),
    Milestones(lr=0.05, drops=("6it",)),
    Warmup(steps="3it", then=Constant(lr=0.05)),
    Stretched(schedule=Constant(lr=0.05), factor=2.0),
)
OPTIMIZERS = (SGD(), SGD(weight_decay=0.1), SGD(momentum=0.9, nesterov=True), Adam(), AdamW())


def overriding(value, interface, method):
    """The same value of a subclass in which one method does something else."""
    cls, change = type(value), OVERRIDES[interface, method]
    parent = getattr(cls, method)

    def changed(self, *args, **kwargs):
        return change(self, parent, *args, **kwargs)

    mine = type(cls)(f"My{cls.__name__}", (cls,), {method: changed, "__module__": __name__})
    return mine(**{name: getattr(value, name) for name in cls.model_fields})


def ends(lab, program, probes=()):
    """The same run by every engine, by its name."""

    def begun(program, seed=0):
        return lab.begin(program, seed=seed, sparsity=0.3)

    fast = replace(program, problem=replace(program.problem, kernels=FAST))
    plain = replace(program, problem=replace(program.problem, kernels=PLAIN))
    sparse = replace(program, problem=replace(program.problem, kernels=SPARSE))
    company = replace(sparse, seeds=replicate(1))
    members = [Member(p, begun(p, k), probes=probes) for k, p in enumerate((sparse, company))]
    train_together(members, Stack(size=8))
    assert members[0].failure is None
    return {
        "loop": train(program, begun(program), engine=Loop(), probes=probes),
        "plain": train(plain, begun(plain), engine=InPlace(), probes=probes),
        "fast": train(fast, begun(fast), engine=InPlace(), probes=probes),
        "stack": members[0].progress,
    }


def check(lab, before, after, probes=((), ())):
    """That the second program does visibly something else, and the same in every engine."""
    first = train(before, lab.begin(before, sparsity=0.3), engine=Loop(), probes=probes[0])
    by_engine = ends(lab, after, probes[1])
    loop = by_engine.pop("loop")
    shown = tensors(first), tensors(loop)
    same = shown[0].keys() == shown[1].keys() and all(torch.equal(shown[0][n], shown[1][n]) for n in shown[0])
    traces = [[list(rows[0].items())[4:], len(rows)] for rows in (*first.traces.values(), *loop.traces.values())]
    assert not same or first.state.step != loop.state.step or (probes[0] and traces[0] != traces[1])
    for name, end in by_engine.items():
        assert end.state.step == loop.state.step, name
        assert_close(loop, end, 1e-3)
        assert [len(rows) for rows in end.traces.values()] == [len(rows) for rows in loop.traces.values()]
        rows = [[sorted(row) for row in one] for one in end.traces.values()]
        assert rows == [[sorted(row) for row in one] for one in loop.traces.values()]


def named(value):
    return f"{type(value).__name__}-{value.id[:4]}"


@pytest.mark.parametrize("rule", OPTIMIZERS, ids=named)
@pytest.mark.parametrize("method", ["update", "init"])
def test_optimizers(lab, rule, method):
    if method == "init" and not rule.init({"": torch.zeros(1)}):
        pytest.skip("a rule without state begins with none")
    before = lab.program(optimizer=rule, steps=STEPS, schedule=Constant(lr=0.02))
    check(lab, before, replace(before, optimizer=overriding(rule, Optimizer, method)))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=named)
def test_schedules(lab, schedule):
    before = lab.program(schedule=schedule, optimizer=SGD(), steps=STEPS)
    check(lab, before, replace(before, schedule=overriding(schedule, Schedule, "at")))


@pytest.mark.parametrize("stop", [AtEnd(), LossBelow(loss=1e-9)], ids=named)
def test_stop_rules(lab, stop):
    before = lab.program(stop=stop, optimizer=SGD(), steps=STEPS)
    after = replace(before, stop=overriding(stop, Stop, "reached"))
    check(lab, before, after)
    assert train(after, lab.begin(after), engine=InPlace()).local == 0


@pytest.mark.parametrize("change", [CropFlip(pad=1, fill=(0.0,)), RandomResizedCrop(size=4)], ids=named)
def test_augmentations(lab, change):
    before = lab.program(problem=replace(lab.lenet, augmentation=(change,)), steps=STEPS)
    mine = overriding(change, Augmentation, "__call__")
    check(lab, before, replace(before, problem=replace(lab.lenet, augmentation=(mine,))))


@pytest.mark.parametrize("amount", [Remaining(fraction=0.3), Sparsity(final=0.6)], ids=named)
def test_amounts(lab, amount):
    when = At(at="3it")
    before = lab.program(Prune(amount=amount, when=when), steps=STEPS)
    mine = overriding(amount, Amount, "remaining_after")
    check(lab, before, replace(before, interventions=(Prune(amount=mine, when=when),)))


@pytest.mark.parametrize("when", [At(at="3it"), Every(start="3it", end="9it", period="3it")], ids=named)
def test_rules_of_time(lab, when):
    before = lab.program(Prune(amount=Remaining(fraction=0.3), when=when), steps=STEPS)
    mine = Prune(amount=Remaining(fraction=0.3), when=overriding(when, When, "steps"))
    check(lab, before, replace(before, interventions=(mine,)))


@pytest.mark.parametrize("score", [Magnitude(), Random(), ShuffledMagnitude()], ids=named)
def test_scores(lab, score):
    class Opposite(type(score)):
        def scores(self, weights, context):
            return {name: -leaf for name, leaf in super().scores(weights, context).items()}

    prune = Prune(amount=Remaining(fraction=0.3), when=At(at="3it"), score=score)
    before = lab.program(prune, steps=STEPS)
    check(lab, before, replace(before, interventions=(prune.replace(score=Opposite()),)))


@pytest.mark.parametrize("intervention", OF_EACH_CLASS, ids=named)
def test_interventions(lab, intervention):
    before = program_for(lab, intervention)
    mine = overriding(intervention, Intervention, "apply")
    if not intervention.observes:
        check(lab, before, replace(before, interventions=(mine,)))
    assert mine.observes == intervention.observes


def test_an_intervention_or_a_score_that_names_modules_is_shown_their_outputs(lab):
    class Watching(Prune):
        def init(self, weights):
            return {"passes": torch.zeros(())}

        def needs(self, step):
            return frozenset({"act"})

        def observe(self, memory, captured):
            return {"passes": memory["passes"] + len(captured)}

    class WatchingScore(FilterNorm):
        def init(self, weights, layers):
            return {"passes": torch.zeros(())}

        needs, observe = Watching.needs, Watching.observe

        def scores(self, weights, units, memory):
            return -memory["passes"] * super().scores(weights, units, memory)

    for mine in (Watching(when=At(at="3it")), PruneUnits(layers=FILTERS, score=WatchingScore())):
        program = lab.program(mine, problem=lab.undrawn, steps=STEPS)
        for end in ends(lab, program).values():
            assert [float(memory["passes"]) for memory in end.state.memory.values()] == [STEPS]
    assert not FilterNorm().watches and UnitScore.watches.fget(WatchingScore())


@pytest.mark.parametrize("method", ["observe", "steps"])
def test_probes(lab, method):
    program = lab.program(Prune(when=At(at="3it")), steps=STEPS)
    for probe in (Curve(every="4it"), AroundEvents()):
        check(lab, program, program, ((probe,), (overriding(probe, Probe, method),)))


def test_the_loss_that_is_given_is_the_loss(lab):
    def doubled(logits, y):
        return 2 * lab.lenet.loss(logits, y)

    before = lab.program(optimizer=SGD(), steps=STEPS)
    check(lab, before, replace(before, problem=replace(lab.lenet, loss=doubled)))


def test_a_rule_that_looks_at_all_weights_is_left_alone_with_each_member(lab):
    """The norm of one member's gradients, not that of the stack."""

    class ByNorm(SGD):
        def update(self, grads, opt, params, *, keep, lr):
            norm = torch.sqrt(sum(leaf.square().sum() for leaf in grads.values()))
            return super().update(tree.tree_map(lambda g: 0.1 * g / norm, grads), opt, params, keep=keep, lr=lr)

    rule = ByNorm(momentum=0.9, weight_decay=1e-3)
    assert not (rule.elementwise or rule.stackable or rule.shrinkage(0.1))
    before = lab.program(steps=STEPS)
    check(lab, before, replace(before, optimizer=rule))


def test_a_rule_that_forgets_the_masks_moves_kept_weights_only(lab):
    class Drifting(SGD):
        """Moves every weight, removed ones as well."""

        def update(self, grads, opt, params, *, keep, lr):
            return {name: leaf + 0.01 for name, leaf in params.items()}, opt

    program = lab.program(Prune(when=At(at="3it")), optimizer=Drifting(), steps=STEPS)
    for end in ends(lab, program).values():
        weights = end.state.weights
        assert all(bool((weights.params[name][~mask] == 0).all()) for name, mask in weights.masks.items())
        assert any(bool((~mask).any()) for mask in weights.masks.values())


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (lambda params, opt: ({name: params[name] for name in list(params)[:1]}, opt), "returned nothing for"),
        (
            lambda params, opt: ({name: leaf[None] for name, leaf in params.items()}, opt),
            r"returned \[1, .*every param",
        ),
        (lambda params, opt: params, r"returned dict; it must return \(params, opt\)"),
    ],
    ids=["one of the parameters", "another shape", "no state"],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_rule_that_returns_other_things_is_refused_by_every_engine(lab, found, words, wrapped):
    class Odd(SGD):
        def update(self, grads, opt, params, *, keep, lr):
            return found(params, opt)

    rule = Clipped(optimizer=Odd(), norm=1.0) if wrapped else Odd()
    program = lab.program(optimizer=rule, steps=STEPS)
    for engine in (Loop(), InPlace()):
        with pytest.raises(UsageError, match=words):
            train(program, lab.begin(program, sparsity=0.3), engine=engine)


def test_what_only_a_faster_form_says_is_refused():
    with pytest.raises(TypeError, match=r"overrides fused_ and not update.*override update, or both"):
        type("Mine", (SGD,), {"fused_": SGD.fused_, "__module__": __name__})
    faster = type("Mine", (SGD,), {"fused_": SGD.fused_, "update": SGD.update, "__module__": __name__})
    assert not faster().stackable, "what the class does not define is not promised"
    assert type("Mine", (SGD,), {"__doc__": "More.", "__module__": __name__}).fused_ is SGD.fused_


def test_a_mixin_overrides_as_well():
    class Mixin:
        def update(self, grads, opt, params, *, keep, lr):
            return params, opt

    class Standing(Mixin, SGD):
        pass

    assert Standing.fused_ is Optimizer.fused_ and not Standing().elementwise
