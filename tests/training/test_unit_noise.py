"""Temporary noise on units: in which batches, on which units, and how they come back."""

import pytest
import torch
from unit_lab import CIFAR, EPOCH, PLAIN, RESIDUAL, begin, filters, layer, program, states

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.training.interventions import At, BernoulliUnits, LayerSchedule, NoiseUnits, PruneUnits, Zero, ZeroUnits
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD
from prunescope.training.run import train
from prunescope.training.timeline import EventContext, Timeline

INNER, OUTER = "layer3.0.conv1", "layer3.1.conv2"
TWICE = (layer(INNER, start="4it", end="10it", period="6it"), layer(OUTER, start="6it", end="6it"))
KEY = "0:ZeroUnits"


def zero_filters(state, name):
    return (state.weights.params[f"{name}.weight"] == 0).flatten(1).all(1)


def after_events(plan, monkeypatch):
    """The state that every training batch sees, by position."""
    seen = []
    step = Stepper.step

    def watched(self, state, **options):
        seen.append(state)
        return step(self, state, **options)

    monkeypatch.setattr(Stepper, "step", watched)
    end = states(plan, monkeypatch=monkeypatch)[-1]
    return seen, end


@pytest.mark.parametrize("batches", [1, 5])
def test_zeroing_lasts_for_as_many_training_batches(monkeypatch, batches):
    seen, end = after_events(program(RESIDUAL, ZeroUnits(layers=TWICE, batches=batches)), monkeypatch)
    inner = [int(zero_filters(state, INNER).sum()) for state in seen]
    outer = [int(zero_filters(state, OUTER).sum()) for state in seen]
    assert inner == [4 if 4 <= k < 4 + batches or 10 <= k < 10 + batches else 0 for k in range(16)]
    assert outer == [8 if 6 <= k < 6 + batches else 0 for k in range(16)]
    assert end.weights.sparsity == 0 and not end.held


@pytest.mark.parametrize("units", [layer("fc1", start="4it", end="4it"), layer("fc1", start="2it", end="2it")])
def test_what_two_interventions_hold_stays_at_0_until_both_let_it_go(monkeypatch, units):
    weights = Zero(hold="4it", reentry="saved", when=At(at="2it"))
    both = program(PLAIN, weights, ZeroUnits(layers=(units,), batches=8, reentry="saved"))
    seen, _ = after_events(both, monkeypatch)
    assert any(state.held for state in seen)
    for state in seen:
        assert not any(bool(state.weights.params[name][held].any()) for name, held in state.held.items())


def test_the_counts_of_the_paper():
    """391 batches an epoch, 79 in a test pass: the authors' counters 129 and 1500, without their one batch too many."""
    clock, start = Clock(391, 325 * 391), 247 * 391
    for counter, paper in ((129, 50), (1500, 1105)):
        noised, passes = 0, 79  # the test pass after the event comes first
        for step in range(10**4):
            if passes >= counter:
                break
            passes, noised = passes + 1, noised + 1
            if (step + 1) % 391 == 0:
                passes += 2 * 79
        assert noised == paper
        schedule = LayerSchedule.after_epochs("conv8", start=6, end=275, fraction=0.9, period=40)
        events = ZeroUnits(layers=(schedule,), batches=paper).events(clock)
        assert {start, start + paper - 1} <= set(events) and len(events) == 14


def test_only_new_units_are_zeroed_or_all_so_far(monkeypatch):
    both = {}
    for which in ("new", "all"):
        seen, _ = after_events(program(RESIDUAL, ZeroUnits(layers=TWICE, batches=2, which=which)), monkeypatch)
        first, second = zero_filters(seen[5], INNER), zero_filters(seen[10], INNER)
        assert int(first.sum()) == 4 and int(second.sum()) == (4 if which == "new" else 8)
        assert bool((first & second).any()) == (which == "all")
        assert torch.equal(seen[11].memory[KEY][f"taken/{INNER}"], second | first)
        both[which] = first
    assert torch.equal(both["new"], both["all"])


def test_the_units_that_pruning_would_take_are_zeroed(monkeypatch):
    seen, _ = after_events(program(RESIDUAL, ZeroUnits(layers=TWICE, batches=2)), monkeypatch)
    pruned, _ = after_events(program(RESIDUAL, PruneUnits(layers=TWICE, target="largest")), monkeypatch)
    for name, step in ((INNER, 4), (OUTER, 6)):
        gone = ~pruned[step].weights.masks[f"{name}.weight"].flatten(1).any(1)
        if name == INNER:
            assert torch.equal(zero_filters(seen[step], name), gone)
        assert int(gone.sum()) == int(zero_filters(seen[step], name).sum())


def test_units_come_back_with_everything_they_had(monkeypatch):
    """Weights, gamma, beta, gates and running statistics; the other channels' statistics moved on."""
    value = ZeroUnits(layers=TWICE, batches=5, reentry="saved", normalization_follows=True)
    seen, _ = after_events(program(RESIDUAL, value), monkeypatch)
    known = filters(OUTER)
    where = zero_filters(seen[6], OUTER)
    norm = known.others[0].removesuffix(".weight")
    assert torch.equal(seen[8].weights.buffers[known.gate], ~where)
    assert all(bool((seen[k].weights.params[n][where] == 0).all()) for n in known.others for k in range(6, 11))
    plain, _ = after_events(program(RESIDUAL, value.replace(layers=TWICE[:1])), monkeypatch)  # as it was at step 6
    for name in (known.weight, *known.others):
        assert torch.equal(seen[11].weights.params[name][where], plain[6].weights.params[name][where])
    for name in (f"{norm}.running_mean", f"{norm}.running_var"):
        before, after = plain[6].weights.buffers[name], seen[11].weights.buffers[name]
        assert torch.equal(before[where], after[where]) and not bool((before[~where] == after[~where]).any())
    assert bool(seen[11].weights.buffers[known.gate].all())


def test_units_come_back_at_zero_and_train(monkeypatch):
    seen, _ = after_events(program(RESIDUAL, ZeroUnits(layers=TWICE[:1], batches=2)), monkeypatch)
    where = zero_filters(seen[4], INNER)
    assert torch.equal(zero_filters(seen[5], INNER), where) and not bool(zero_filters(seen[6], INNER).any())
    assert seen[4].held and not seen[5].held and not any("hidden" in name for name in seen[5].memory[KEY])
    size = seen[6].weights.params[f"{INNER}.weight"][where].abs()
    assert 0 < float(size.max()) < 0.05  # one update of Adam, whose rate is 0.01


def test_what_is_pruned_while_it_is_zero_stays_gone(monkeypatch):
    prune = PruneUnits(layers=(layer(INNER, start="6it", end="6it", fraction=0.5),), target="smallest")
    zero = ZeroUnits(layers=TWICE[:1], batches=5, reentry="saved", normalization_follows=True)
    end = states(program(RESIDUAL, zero, prune), monkeypatch=monkeypatch)[-1]
    gone = ~end.weights.masks[f"{INNER}.weight"].flatten(1).any(1)
    assert int(gone.sum()) == 8
    for name in (filters(INNER).weight, *filters(INNER).others):
        assert bool((end.weights.params[name][gone] == 0).all())
        assert bool((end.weights.params[name][~gone] != 0).all())


# -- Gaussian


@pytest.mark.parametrize("test_batches", [0, 3])
def test_gaussian_noise_has_the_variance_of_an_untouched_unit_and_adds_up(monkeypatch, test_batches):
    """Before each batch of the window, on the new units alone; more before the first batch of an epoch, if asked."""
    value = NoiseUnits(
        layers=(layer("fc1", start="6it", end="6it", fraction=0.6),), batches=5, test_batches=test_batches
    )
    plan = program(PLAIN, value, optimizer=SGD())
    added = {}
    apply = NoiseUnits.apply

    def watched(self, state, context):
        after = apply(self, state, context)
        added[context.local] = (state, after)
        return after

    monkeypatch.setattr(NoiseUnits, "apply", watched)
    end = states(plan, monkeypatch=monkeypatch)[-1]
    assert sorted(added) == [6, 7, 8, 9, 10]
    taken = end.memory["0:NoiseUnits"]["taken/fc1"]
    assert int(taken.sum()) == 4
    for step, (before, after) in added.items():
        old, new = before.weights.params["fc1.weight"], after.weights.params["fc1.weight"]
        assert torch.equal(old[~taken], new[~taken])
        draws = {6: test_batches + 1, 8: 2 * test_batches + 1}.get(step, 1)
        expected = float(old[~taken][0].std()) * draws**0.5
        assert float((new - old)[taken].std()) == pytest.approx(expected, rel=0.12)  # 768 draws
    seen, _ = after_events(plan, monkeypatch)
    spread = [float(seen[k].weights.params["fc1.weight"][taken].std()) for k in (5, 6, 10)]
    assert spread[0] < spread[1] < spread[2]


def authors_draws(limit, *, test_batches, epoch=391, epochs=8):
    """Draws before each training batch after an event, by the authors' counter of forward passes of either kind."""
    counter, waiting, before = 0, 0, []
    for _ in range(epochs):
        for phase in ("after the pruning step", "training", "before the pruning step"):
            for _ in range(epoch if phase == "training" else test_batches):
                if counter <= limit:
                    waiting, counter = waiting + 1, counter + 1
                if phase == "training":
                    before.append(waiting)
                    waiting = 0
    return before


@pytest.mark.parametrize(
    ("limit", "batches", "test_batches"),
    [
        *((0, 1, 79), (129, 50, 79), (1500, 1105, 79)),
        *((129, 89, 40), (750, 630, 40), (1500, 1220, 40), (3000, 2480, 40)),
    ],
)
def test_training_batches_see_the_draws_of_the_authors(limit, batches, test_batches):
    """All of them, but for the one that their <= adds after the batches that the paper counts."""
    clock, start = Clock(391, 325 * 391), 7 * 391
    value = NoiseUnits(layers=(layer("conv8"),), batches=batches, test_batches=test_batches)
    theirs = authors_draws(limit, test_batches=test_batches)
    assert sum(theirs) == limit + 1
    assert [value.draws(clock, start, start + step) for step in range(batches)] == theirs[:batches]
    assert sum(theirs[batches:]) == (0 if limit == 0 else 1)


def test_noise_for_one_batch_is_one_draw(monkeypatch):
    """Of the weights that pruning would take, however long a test pass is."""
    value = NoiseUnits(layers=(layer("fc1", start="1ep", end="1ep", fraction=0.6),), batches=1, test_batches=79)
    seen, end = after_events(program(PLAIN, value, optimizer=SGD()), monkeypatch)
    plain, _ = after_events(program(PLAIN, optimizer=SGD()), monkeypatch)
    taken = end.memory["0:NoiseUnits"]["taken/fc1"]
    before, after = (run[EPOCH].weights.params["fc1.weight"] for run in (plain, seen))
    expected = float(before[~taken][0].std())
    assert float((after - before)[taken].std()) == pytest.approx(expected, rel=0.12)  # 768 draws


def test_noise_of_different_layers_and_steps_differs():
    value = NoiseUnits(layers=TWICE, batches=2)
    assert value.events(Clock(EPOCH, 16)) == (4, 5, 6, 7, 10, 11)
    plan = program(RESIDUAL, value)
    progress = begin(plan)
    contexts = [noisy_context(plan, progress, step) for step in (4, 5)]
    draws = [torch.randn(3, generator=c.stream("noise", name)) for c in contexts for name in (INNER, OUTER)]
    assert len({tuple(draw.tolist()) for draw in draws}) == 4


def noisy_context(plan, progress, step):
    moved = progress.replace(state=progress.state.replace(step=step))
    return EventContext(Timeline(plan, (), ()), moved, 0)


# -- Bernoulli


@pytest.mark.parametrize("follows", [True, False])
def test_pruning_is_the_limit_of_bernoulli_noise(monkeypatch, follows):
    """Every value that pruning keeps, at every step, bit for bit; what it removes is 0 in both."""
    layers = (layer(INNER, fraction=0.4), layer(OUTER, start="2ep"))
    for optimizer in (None, SGD(momentum=0.9, weight_decay=0.01)):
        pair = [
            kind(layers=layers, target="largest", normalization_follows=follows, **more)
            for kind, more in ((PruneUnits, {}), (BernoulliUnits, {"keep": 0.0}))
        ]
        runs = [states(program(RESIDUAL, v, optimizer=optimizer), monkeypatch=monkeypatch) for v in pair]
        for pruned, noisy_one in zip(*runs, strict=True):
            left, right = pruned.weights, noisy_one.weights
            assert all(torch.equal(left.params[name], right.params[name]) for name in left.params)
            assert all(torch.equal(left.buffers[name], right.buffers[name]) for name in left.buffers)
            assert right.sparsity == 0
        assert runs[0][-1].weights.sparsity > 0


def test_units_are_there_in_the_stated_share_of_batches(monkeypatch):
    value = BernoulliUnits(layers=(layer(INNER, start="0it", end="0it", fraction=0.99),), keep=0.7)
    seen, _ = after_events(program(RESIDUAL, value, steps=40), monkeypatch)
    there = torch.stack([~zero_filters(state, INNER) for state in seen])
    untaken = ~seen[-1].memory["0:BernoulliUnits"][f"taken/{INNER}"]
    share = there[:, ~untaken].double().mean()
    assert bool(there[:, untaken].all()) and int(untaken.sum()) == 1
    assert abs(float(share) - 0.7) < 4 * (0.7 * 0.3 / (40 * 15)) ** 0.5


def test_a_unit_that_was_away_for_a_batch_comes_back_as_it_was(monkeypatch):
    value = BernoulliUnits(layers=(layer(INNER, start="0it", end="0it"),), keep=0.5)
    seen, _ = after_events(program(RESIDUAL, value, optimizer=SGD()), monkeypatch)
    weights = torch.stack([state.weights.params[f"{INNER}.weight"].flatten(1) for state in seen])
    away = (weights == 0).all(2)
    returns = 0
    for unit in range(16):
        for step in range(1, 15):
            if away[step, unit] and not away[step - 1, unit] and not away[step + 1, unit]:
                before, after = weights[step - 1, unit], weights[step + 1, unit]
                returns += 1
                assert float((after - before).norm()) < 0.5 * float(before.norm())
    assert returns > 5


def test_gates_close_for_the_batches_in_which_a_unit_is_away(monkeypatch):
    value = BernoulliUnits(layers=(layer("layer1.0.conv2", start="0it", end="0it"),), keep=0.5)
    seen, _ = after_events(program(CIFAR, value), monkeypatch)
    gates = [state.weights.buffers["layer1.0.sum.gate"] for state in seen]
    assert all(torch.equal(gate, ~zero_filters(s, "layer1.0.conv2")) for gate, s in zip(gates, seen, strict=True))
    assert len({tuple(gate.tolist()) for gate in gates}) > 1


# -- Bad input


@pytest.mark.parametrize("kind", [ZeroUnits, NoiseUnits])
def test_noise_that_does_not_end_in_time_is_an_error_before_training(kind):
    plan = program(RESIDUAL, kind(layers=TWICE, batches=7))
    with pytest.raises(
        UsageError, match=r"batches=7 from step 4 on outlast the next event of layer3.0.conv1, at step 10"
    ):
        begin_and_train(plan)
    late = kind(layers=(layer("fc1", start="14it", end="14it"),), batches=3)
    with pytest.raises(UsageError, match=r"batches=3 from step 14 on outlast the end of training, at step 16"):
        begin_and_train(program(PLAIN, late))


def begin_and_train(plan):
    train(plan, begin(plan), beat=lambda progress: pytest.fail("a step was taken"))


def test_a_layer_that_is_not_there():
    for kind, more in (
        (ZeroUnits, {"batches": 1}),
        (NoiseUnits, {"batches": 1}),
        (BernoulliUnits, {"keep": 0.5}),
    ):
        plan = program(PLAIN, kind(layers=(layer("fc9"),), score=FilterNorm(order=1), **more))
        with pytest.raises(UsageError, match="no layer 'fc9'; layers with units: fc1, fc2"):
            begin_and_train(plan)
