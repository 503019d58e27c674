"""The contract of every intervention, whoever writes the next one."""

from typing import ClassVar

import pytest
import torch

from prunescope.base import tree
from prunescope.base.reference import Moment, StateRef
from prunescope.base.value import Value
from prunescope.runs.execution import checkpointer
from prunescope.sparsity.derivative_scores import SNIP, GraSP, SynFlow
from prunescope.sparsity.scores import Random, ShuffledMagnitude
from prunescope.sparsity.select import Remaining, Sparsity
from prunescope.sparsity.unit_scores import ExpectedActivation, FilterNorm, MeanActivation
from prunescope.training import run as running
from prunescope.training.interventions import (
    At,
    Bernoulli,
    BernoulliUnits,
    Every,
    Grow,
    Intervention,
    KeepAsMany,
    LayerSchedule,
    Noise,
    NoiseUnits,
    Prune,
    PruneRounds,
    PruneUnits,
    Reinit,
    Release,
    Rescale,
    Rewind,
    ShuffleMasks,
    TakeMasks,
    UseAverage,
    Zero,
    ZeroUnits,
)
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD, Adam
from prunescope.training.optimizers.wrapper import Averaged as WithAverage
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.run import train
from prunescope.training.timeline import EventContext, Timeline

STEPS = 16


class Run(Value):
    by_id: ClassVar[bool] = True


ELSEWHERE = StateRef(run=Run())


class Averaged(Intervention):
    """A user's own: prunes the inputs of `fc` whose units have the smallest moving average output, at one step."""

    observes: ClassVar[bool] = True
    layer: str = "act"
    since: int = 2
    at: int = 12

    def events(self, clock):
        return (self.at,)

    def init(self, weights):
        device = weights.params["fc.weight"].device
        return {"average": torch.zeros(4, device=device), "batches": torch.zeros((), dtype=torch.int64)}

    def needs(self, step):
        return frozenset({self.layer} if self.since <= step < self.at else ())

    def observe(self, memory, captured):
        mean = captured[self.layer].mean((0, 2, 3))
        return {"average": 0.9 * memory["average"] + 0.1 * mean, "batches": memory["batches"] + 1}

    def apply(self, state, context):
        average = state.memory[context.key]["average"]
        kept = torch.ones(3, 4, dtype=torch.bool, device=average.device)
        kept[:, average.argmin()] = False
        masks = {**state.weights.masks, "fc.weight": state.weights.masks["fc.weight"] & kept}
        params = tree.masked(state.weights.params, masks)
        return state.replace(weights=state.weights.replace(masks=masks, params=params))


SEVERAL = Every(start="3it", end="11it", period="4it")
FILTERS = (LayerSchedule(layer="conv", start="3it", end="11it", fraction=0.5, period="4it"),)
SETTINGS: dict[type[Intervention], list[Intervention]] = {
    Prune: [
        Prune(amount=Remaining(fraction=0.3), when=SEVERAL),
        Prune(amount=Sparsity(final=0.6, curve="cubic"), score=Random(), when=SEVERAL),
        Prune(score=ShuffledMagnitude(), scope="layer", target="random", exclude=("fc.weight",), when=SEVERAL),
    ],
    Zero: [
        Zero(amount=Remaining(fraction=0.4), hold="5it", when=SEVERAL),
        Zero(amount=Remaining(fraction=0.2), hold="3it", reentry="saved", target="random", when=SEVERAL),
    ],
    Noise: [Noise(std=0.3, length="3it", when=SEVERAL)],
    Release: [Release(when=At(at="9it"))],
    Rewind: [
        Rewind(to=ELSEWHERE, when=SEVERAL),
        Rewind(to=ELSEWHERE, what="weights", when=At(at="100%")),
    ],
    Reinit: [Reinit(when=SEVERAL)],
    PruneRounds: [
        PruneRounds(prune=Prune(amount=Sparsity(final=0.5), score=score, scope=scope, when=SEVERAL), rounds=2)
        for score, scope in ((SynFlow(), "global"), (SNIP(batches=2), "erdos_renyi_kernel"))
    ],
    Grow: [
        Grow(by=by, fraction=0.5, decay=decay, period="5it", end="15it", batches=2)
        for by, decay in (("gradient", "cosine"), ("random", "constant"))
    ],
    ShuffleMasks: [ShuffleMasks(of=Prune(score=GraSP(), when=SEVERAL))],
    Bernoulli: [Bernoulli(keep=0.7, allow_collapse=True, when=SEVERAL)],
    Rescale: [Rescale(by=1.5, when=SEVERAL)],
    UseAverage: [UseAverage(when=SEVERAL)],
    KeepAsMany: [KeepAsMany(of=ELSEWHERE, when=At(at="7it"))],
    TakeMasks: [TakeMasks(of=ELSEWHERE, when=At(at="7it"))],
    PruneUnits: [
        PruneUnits(layers=FILTERS, score=MeanActivation(outputs={"conv": "bn"}, every=2)),
        PruneUnits(layers=FILTERS, score=ExpectedActivation(), target="random", normalization_follows=False),
    ],
    ZeroUnits: [
        ZeroUnits(layers=FILTERS, batches=2),
        ZeroUnits(
            layers=FILTERS,
            batches=4,
            which="all",
            reentry="saved",
            normalization_follows=True,
            target="random",
        ),
    ],
    NoiseUnits: [NoiseUnits(layers=FILTERS, batches=3, test_batches=2)],
    BernoulliUnits: [
        BernoulliUnits(layers=FILTERS, keep=0.5, score=FilterNorm(order=1)),
        BernoulliUnits(layers=FILTERS, keep=0.0, normalization_follows=False),
    ],
}
OWN: list[Intervention] = [Averaged()]
EVERY = [setting for settings in SETTINGS.values() for setting in settings] + OWN
OF_EACH_CLASS = [*{type(setting): setting for setting in EVERY}.values()]
KEEP_MASKS = (UseAverage, Zero, Noise, Rewind, Reinit, Rescale, ZeroUnits, NoiseUnits, BernoulliUnits)

every = pytest.mark.parametrize("intervention", EVERY, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
OPTIMIZERS = (SGD(momentum=0.9, weight_decay=0.01), Adam())


def program_for(lab, *interventions, **changes):
    plain = lab.program(*interventions, problem=lab.batchnorm, steps=STEPS, **changes)
    if any(isinstance(value, UseAverage) for value in interventions):
        changes["optimizer"] = WithAverage(optimizer=plain.optimizer, decay=0.5)
    elsewhere = lab.weights(plain, seed=9, sparsity=0.7)
    return lab.program(
        *interventions,
        problem=lab.batchnorm,
        steps=STEPS,
        references={ELSEWHERE.id: elsewhere},
        **changes,
    )


def every_position(program, progress, **watched):
    """The progress at every position of a run, before anything due there has happened."""
    seen = [progress]

    def remember(progress):
        seen.append(progress)
        return True

    train(program, progress, beat=remember, **watched)
    return seen


def tensors(progress):
    """Everything of a state that could differ, flat and copied."""
    state, flat = progress.state, {"running": progress.running}
    parts = {"params": state.weights.params, "buffers": state.weights.buffers, "masks": state.weights.masks}
    parts |= {f"opt {k}": v for k, v in state.opt.items()} | {f"memory {k}": v for k, v in state.memory.items()}
    parts |= {"held": state.held}
    for moment, weights in progress.kept.items():
        parts |= {f"kept {moment} {n}": getattr(weights, n) for n in ("params", "buffers", "masks")}
    for part, leaves in parts.items():
        flat |= {f"{part}/{name}": leaf.detach().clone() for name, leaf in leaves.items()}
    return flat


def assert_same(left, right):
    one, other = tensors(left), tensors(right)
    assert one.keys() == other.keys()
    assert [name for name, leaf in one.items() if not torch.equal(leaf, other[name])] == []
    assert left.traces == right.traces and left.kept.keys() == right.kept.keys()
    ends = [(p.state.step, p.state.schedule_step, float(p.running), p.finished) for p in (left, right)]
    assert ends[0] == ends[1]


def through_a_file(progress, file):
    file.write_bytes(checkpointer.checkpoint_to_bytes(checkpointer.Checkpoint(progress, frozenset(), 0.0)))
    return checkpointer.checkpoint_from_bytes(file.read_bytes(), "it").progress


@pytest.fixture
def one_step_chunks(monkeypatch):
    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)


def test_every_intervention_of_the_package_has_a_setting_here(leaves):
    assert leaves(Intervention) == set(SETTINGS)
    assert all(type(setting) is kind for kind, settings in SETTINGS.items() for setting in settings)


@every
def test_it_is_pure_and_deterministic_at_each_of_its_events(lab, one_step_chunks, intervention):
    program = program_for(lab, intervention)
    timeline, acted = Timeline(program, (), ()), 0
    for progress in every_position(program, lab.begin(program, sparsity=0.3)):
        if progress.local in timeline.events[0]:
            before, context = tensors(progress), EventContext(timeline, progress, 0)
            random = torch.get_rng_state()
            one, same = (intervention.apply(progress.state, context) for _ in range(2))
            assert torch.equal(torch.get_rng_state(), random)
            assert tree.equal(before, tensors(progress))
            assert_same(progress.replace(state=one), progress.replace(state=same))
            assert (one.step, one.schedule_step) == (progress.state.step, progress.state.schedule_step)
            acted += 1
    assert acted == len(timeline.events[0]) > 0


@every
def test_it_changes_something_and_masks_only_if_it_may(lab, one_step_chunks, intervention):
    program = program_for(lab, intervention)
    masks, changed = [], False
    timeline = Timeline(program, (), ())
    for progress in every_position(program, lab.begin(program, sparsity=0.3)):
        masks.append(progress.state.weights.masks)
        if progress.local in timeline.events[0]:
            after = progress.replace(state=intervention.apply(progress.state, EventContext(timeline, progress, 0)))
            changed |= not tree.equal(tensors(progress), tensors(after))
    assert changed
    moved = any(not tree.equal(masks[0], later) for later in masks)
    assert moved != isinstance(intervention, KEEP_MASKS)


@every
def test_it_resumes_bitwise_from_every_step(lab, one_step_chunks, tmp_path, intervention):
    """A resume comes to the very next position of the run that was never stopped, and so to its end.

    With SGD and Adam in turns, both of them with some setting of most classes.
    """
    program = program_for(lab, intervention, optimizer=OPTIMIZERS[EVERY.index(intervention) % 2])
    watched = {
        "probes": (Curve(split="test", every="5it"), AroundEvents()),
        "keep": (Moment(when="step", at="4it"), Moment(when="step", at="100%")),
    }
    whole = every_position(program, lab.begin(program, sparsity=0.3), **watched)
    assert [progress.local for progress in whole] == list(range(STEPS + 1))
    end = train(program, whole[-1], **watched)
    assert end.finished
    for stop, after in enumerate([*whole[1:], end]):
        resumed = through_a_file(whole[stop], tmp_path / "progress")
        assert_same(train(program, resumed, beat=lambda progress: False, **watched), after)


@every
def test_chunks_never_change_bits(lab, monkeypatch, intervention):
    program = program_for(lab, intervention)
    ends = []
    for seconds in (0.0, 1e-3, 100.0):
        monkeypatch.setattr(running, "CHUNK_SECONDS", seconds)
        ends.append(train(program, lab.begin(program, sparsity=0.3), probes=(Curve(),)))
    assert_same(ends[0], ends[1])
    assert_same(ends[0], ends[2])


@every
def test_removed_and_held_weights_are_zero_before_every_step(lab, one_step_chunks, intervention):
    """Together with a hold that outlives its events."""
    program = program_for(lab, Zero(hold="15it", when=At(at="1it")), intervention)
    for progress in every_position(program, lab.begin(program, sparsity=0.3))[1:]:
        state = progress.state
        for name, free in state.free.items():
            assert bool((state.weights.params[name][~free] == 0).all()), (progress.local, name)


def test_memories_of_equal_interventions_are_apart(lab):
    program = program_for(lab, Averaged(since=2), Averaged(since=8))
    memory = train(program, lab.begin(program)).state.memory
    assert int(memory["0:Averaged"]["batches"]) == 10 and int(memory["1:Averaged"]["batches"]) == 4


def test_two_interventions_of_a_kind_draw_differently_and_the_seed_decides(lab):
    twice = program_for(lab, Noise(std=0.3), Noise(std=0.3))
    progress, timeline = lab.begin(twice), Timeline(twice, (), ())
    first, second = (EventContext(timeline, progress, i).stream("noise").initial_seed() for i in (0, 1))
    alone = program_for(lab, Prune(), Noise(std=0.3))
    other = EventContext(Timeline(alone, (), ()), progress, 1).stream("noise").initial_seed()
    assert first != second and other == first
    assert EventContext(timeline, lab.begin(twice, step=1), 0).stream("noise").initial_seed() != first


def test_an_observer_sees_what_a_training_pass_computes(lab, one_step_chunks):
    program = program_for(lab, Averaged(since=0, at=3))
    average = torch.zeros(4)
    plain = program_for(lab)
    for progress in every_position(plain, lab.begin(plain)):
        if progress.local < 3:
            state, stepper = progress.state, Stepper(plain)
            seen = plain.problem.model.observe(
                state.weights.params,
                state.weights.buffers,
                stepper.batch(progress.local)[0],
                names=frozenset({"act"}),
                draw=stepper.draw(progress.local),
            )[2]
            average = 0.9 * average + 0.1 * seen["act"].mean((0, 2, 3))
    memory = train(program, lab.begin(program)).state.memory["0:Averaged"]
    torch.testing.assert_close(memory["average"], average)
