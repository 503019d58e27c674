"""Units that go for good: how many, which, what dies with them, and that it stays dead."""

from itertools import pairwise

import pytest
import torch
from unit_lab import CIFAR, EPOCH, PLAIN, RESIDUAL, applied, begin, filters, layer, program, states

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.sparsity.structure import gates
from prunescope.sparsity.unit_scores import ExpectedActivation, FilterNorm, MeanActivation
from prunescope.tasks.recalibration import recalibrated
from prunescope.training import run as running
from prunescope.training.interventions import At, PruneUnits, Reinit, Release, Rewind
from prunescope.training.optim import SGD, Adam, AdamW

INNER, OUTER = "layer3.0.conv1", "layer3.1.conv2"  # 16 filters each at width 4
BOTH = PruneUnits(layers=(layer(INNER), layer(OUTER, start="2ep", fraction=0.8)))


class Run(Value):
    by_id = True


ELSEWHERE = StateRef(run=Run())


def alive(state, name):
    return state.weights.masks[f"{name}.weight"].flatten(1).any(1)


def test_as_many_go_as_the_schedule_says_and_never_come_back(monkeypatch):
    seen = states(program(RESIDUAL, BOTH), monkeypatch=monkeypatch)
    found = {name: [int(alive(state, name).sum()) for state in seen] for name in (INNER, OUTER)}
    assert found[INNER] == [16] * 5 + [14] * 4 + [11] * 4 + [8] * 5
    assert found[OUTER] == [16] * 9 + [10] * 4 + [4] * 5
    for before, after in pairwise(seen):
        assert not any(bool((alive(after, name) & ~alive(before, name)).any()) for name in found)


@pytest.mark.parametrize(
    "optimizer",
    [SGD(momentum=0.9, weight_decay=0.01), Adam(weight_decay=0.01), AdamW()],
    ids=["sgd", "adam", "adamw"],
)
def test_everything_that_dies_is_exactly_zero_after_every_step(monkeypatch, optimizer):
    seen = states(program(RESIDUAL, BOTH, optimizer=optimizer), monkeypatch=monkeypatch)
    checked = 0
    for state in seen:
        for name in (INNER, OUTER):
            dead, known = ~alive(state, name), filters(name)
            for part in (known.weight, *known.others):
                assert bool((state.weights.params[part][dead] == 0).all()), part
                assert state.step == 0 or bool((state.weights.params[part][~dead] != 0).all()), part
            if known.gate:
                assert torch.equal(state.weights.buffers[known.gate], ~dead)
            checked += int(dead.sum())
    assert checked > 100
    others = {"bn1.weight", "layer3.1.bn1.bias"}
    assert all(bool((seen[-1].weights.params[name] != 0).all()) for name in others)


def test_sparsity_counts_the_removed_weights_only(monkeypatch):
    state = states(program(RESIDUAL, BOTH), monkeypatch=monkeypatch)[-1]
    total = tree.size(state.weights.masks)
    assert set(state.weights.masks) == set(RESIDUAL.model.maskable)
    assert state.weights.sparsity == pytest.approx((8 * 8 * 9 + 12 * 16 * 9) / total, abs=1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("target", ["smallest", "largest"])
def test_the_lowest_or_highest_norms_go(order, target):
    plan = program(RESIDUAL, PruneUnits(layers=(layer(INNER),), score=FilterNorm(order=order), target=target))
    state = begin(plan).state
    after = applied(plan, state, EPOCH)
    norms = [float((one.abs() ** order).sum()) for one in state.weights.params[f"{INNER}.weight"]]
    ranked = sorted(range(16), key=lambda c: norms[c], reverse=target == "largest")
    assert (~alive(after, INNER)).nonzero().flatten().tolist() == sorted(ranked[:2])


def test_equal_scores_lose_exactly_as_many():
    plan = program(RESIDUAL, PruneUnits(layers=(layer(INNER),), score=ExpectedActivation()))
    after = applied(plan, begin(plan).state, EPOCH)  # gamma = 1 and beta = 0 everywhere
    assert int(alive(after, INNER).sum()) == 14


def test_random_units_depend_on_the_seed_and_on_nothing_else():
    def chosen(order, seed):
        plan = program(RESIDUAL, PruneUnits(layers=(layer(INNER),), score=FilterNorm(order=order), target="random"))
        return alive(applied(plan, begin(plan, seed).state, EPOCH), INNER)

    assert torch.equal(chosen(1, 0), chosen(2, 5)) and int(chosen(1, 0).sum()) == 14


def test_moments_of_what_goes_are_cleared_and_of_no_other(monkeypatch):
    plan = program(RESIDUAL, BOTH)
    state = states(program(RESIDUAL), monkeypatch=monkeypatch)[2 * EPOCH]
    state = state.replace(memory={"0:PruneUnits": {}})
    after = applied(plan, state, 2 * EPOCH)
    for name in (INNER, OUTER):
        for part in (filters(name).weight, *filters(name).others):
            dead = ~alive(after, name)
            for moment in ("first", "second"):
                assert bool((after.opt[moment][part][dead] == 0).all())
                assert torch.equal(after.opt[moment][part][~dead], state.opt[moment][part][~dead])
    assert torch.equal(after.opt["count"][""], state.opt["count"][""])


def test_2019s_variant_leaves_the_batchnorm_and_the_shortcut(monkeypatch):
    prune = BOTH.replace(normalization_follows=False)
    state = states(program(RESIDUAL, prune), monkeypatch=monkeypatch)[-1]
    dead, known = ~alive(state, OUTER), filters(OUTER)
    assert bool((state.weights.params[known.weight][dead] == 0).all())
    assert all(bool((state.weights.params[name][dead] != 0).all()) for name in known.others)
    assert bool(state.weights.buffers[known.gate].all()) and not state.held


def test_neurons_go_with_their_biases(monkeypatch):
    plan = program(PLAIN, PruneUnits(layers=(layer("fc1"), layer("fc2"))))
    state = states(plan, monkeypatch=monkeypatch)[-1]
    for name, left in (("fc1", 4), ("fc2", 3)):
        dead = ~alive(state, name)
        assert int((~dead).sum()) == left
        assert bool((state.weights.params[f"{name}.bias"][dead] == 0).all())
        assert bool((state.weights.params[f"{name}.bias"][~dead] != 0).all())


def test_the_average_activation_decides(monkeypatch):
    score = MeanActivation(outputs={INNER: "layer3.0.bn1", OUTER: "layer3.1.sum"}, every=3)
    plan = program(RESIDUAL, BOTH.replace(score=score, target="largest"))
    seen = states(plan, monkeypatch=monkeypatch)
    averages = {name: seen[2 * EPOCH].memory["0:PruneUnits"][f"average/{name}"] for name in (INNER, OUTER)}
    assert int(seen[2 * EPOCH].memory["0:PruneUnits"]["updates"]) == 3  # batches 0, 3 and 6
    gone = alive(seen[2 * EPOCH], OUTER) & ~alive(seen[2 * EPOCH + 1], OUTER)
    assert set(gone.nonzero().flatten().tolist()) == set(averages[OUTER].topk(6).indices.tolist())


def test_rewinding_and_reinitializing_leave_the_dead_dead(monkeypatch):
    for change in (Rewind(to=ELSEWHERE, when=At(at="14it")), Reinit(when=At(at="14it"))):
        plan = program(RESIDUAL, BOTH, change)
        fresh = begin(plan, 7).state.weights
        object.__setattr__(plan, "references", {ELSEWHERE.id: fresh})
        before, after = (states(plan, monkeypatch=monkeypatch)[k] for k in (14, -1))
        assert not torch.equal(before.weights.params["fc.bias"], after.weights.params["fc.bias"])
        for name in (INNER, OUTER):
            dead, known = ~alive(after, name), filters(name)
            assert int(dead.sum()) > 0
            for part in (known.weight, *known.others):
                assert bool((after.weights.params[part][dead] == 0).all())
            assert not known.gate or torch.equal(after.weights.buffers[known.gate], ~dead)


def test_statistics_estimated_anew_leave_gates_closed(monkeypatch):
    state = states(program(RESIDUAL, BOTH), monkeypatch=monkeypatch)[-1]
    fresh = recalibrated(RESIDUAL, state.weights, batches=2, batch=8)
    assert tree.equal(gates(fresh), gates(state.weights.buffers))
    assert not all(bool(gate.all()) for gate in gates(fresh).values())
    assert not torch.equal(fresh["bn1.running_mean"], state.weights.buffers["bn1.running_mean"])


def test_only_a_score_that_watches_makes_a_run_observed():
    watching = MeanActivation(outputs={INNER: "layer3.0.bn1", OUTER: "layer3.1.sum"})
    assert [BOTH.observes, BOTH.replace(score=watching).observes] == [False, True]
    assert not BOTH.replace(score=watching, target="random").observes


def test_release_opens_gates_and_lets_everything_go(monkeypatch):
    plan = program(RESIDUAL, BOTH, Release(when=At(at="13it")))
    seen = states(plan, monkeypatch=monkeypatch)
    assert seen[13].held and not seen[-1].held and seen[-1].weights.sparsity == 0
    dead, known = ~alive(seen[13], OUTER), filters(OUTER)
    assert bool(seen[-1].weights.buffers[known.gate].all())
    assert bool((seen[-1].weights.params[known.others[1]][dead] != 0).all())  # beta trains again


def test_a_later_run_holds_what_an_earlier_one_removed(monkeypatch):
    first = states(program(RESIDUAL, BOTH), monkeypatch=monkeypatch)[-1].weights
    again = PruneUnits(layers=(layer(OUTER, start="0ep", end="0ep", fraction=0.75),))
    plan = program(RESIDUAL, again)
    state = states(plan, running.begin(plan, first, 16), monkeypatch=monkeypatch)[-1]
    dead, known = ~alive(state, OUTER), filters(OUTER)
    assert int(dead.sum()) == 12  # 4 were left, and 4 may stay: nothing more goes
    assert all(bool((state.weights.params[name][dead] == 0).all()) for name in known.others)


# -- Bad input: before the first step, so that nothing is lost


def refuses(problem, value, message):
    plan, steps = program(problem, value), []
    with pytest.raises(UsageError, match=message):
        running.train(plan, begin(plan), beat=lambda progress: steps.append(progress) or True)
    assert steps == []


def test_what_cannot_be_is_said_before_training_begins():
    refuses(RESIDUAL, PruneUnits(layers=(layer("layer9.conv1"),)), "no layer 'layer9.conv1'.*layer3.0.conv2")
    refuses(PLAIN, PruneUnits(layers=(layer("fc"),)), "units of layer 'fc'.*output layer.*fc1, fc2")
    refuses(PLAIN, PruneUnits(layers=(layer("fc1"),), score=ExpectedActivation()), "no BatchNorm follows fc1")
    many = PruneUnits(layers=(layer("fc2", start="1it", end="7it", period="1it"),))
    refuses(PLAIN, many, "7 events for the 5 units of fc2")
    refuses(PLAIN, PruneUnits(layers=(layer("fc1", end="9ep"),)), "'9ep' is step 36, but the run has 16 steps")
    cold = PruneUnits(layers=(layer("fc1", start="0ep", end="0ep"),), score=MeanActivation(outputs={"fc1": "fc1"}))
    refuses(PLAIN, cold, "averaged 0 times")
    unnamed = PruneUnits(layers=(layer(INNER),), score=MeanActivation(outputs={INNER: INNER}))
    refuses(RESIDUAL, unnamed, "output of layer3.0.bn1")


def test_a_layer_has_one_schedule():
    with pytest.raises(ValueError, match="fc1 more than once"):
        PruneUnits(layers=(layer("fc1"), layer("fc1")))


def test_more_events_than_units_may_be_allowed(monkeypatch):
    many = PruneUnits(layers=(layer("fc2", start="1it", end="7it", period="1it"),), allow_idle_events=True)
    state = states(program(PLAIN, many), monkeypatch=monkeypatch)[-1]
    assert int(alive(state, "fc2").sum()) == 3


def test_zero_padded_shortcuts_are_gated_too(monkeypatch):
    prune = PruneUnits(layers=(layer("layer1.0.conv2", fraction=0.6),))
    state = states(program(CIFAR, prune), monkeypatch=monkeypatch)[-1]
    assert int(alive(state, "layer1.0.conv2").sum()) == 2
    assert torch.equal(state.weights.buffers["layer1.0.sum.gate"], alive(state, "layer1.0.conv2"))
