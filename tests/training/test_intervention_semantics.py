"""What each intervention does, in numbers."""

from math import ceil
from typing import ClassVar

import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import LayerCollapse, Unreachable, UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.steps import Clock
from prunescope.base.value import Value
from prunescope.sparsity.select import Remaining, Sparsity
from prunescope.training import run as running
from prunescope.training.interventions import At, Every, Noise, Prune, Reinit, Release, Rewind, Zero
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD, Adam
from prunescope.training.run import train
from prunescope.training.timeline import EventContext, Timeline

FIRST = Every(start="0it", end="16it", period="4it")


class Run(Value):
    by_id: ClassVar[bool] = True


ELSEWHERE = StateRef(run=Run())


@pytest.fixture(autouse=True)
def _one_step_chunks(monkeypatch):
    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)


def states(program, progress):
    """The state at every position from the first step on, before anything due there has happened."""
    seen = [progress.state]

    def remember(now):
        seen.append(now.state)
        return True

    train(program, progress, beat=remember)
    return seen


def applied(program, progress, index=0):
    """The state after one intervention at the position of `progress`."""
    context = EventContext(Timeline(program, (), ()), progress, index)
    return program.interventions[index].apply(progress.state, context)


def moment(when, at):
    return Moment(when=when, at=at)


def kept(program, progress, *moments):
    ended = train(program, progress, keep=moments)
    return [ended.kept[m.id] for m in moments]


def at_step(lab, program, step, **options):
    """Progress after some plain steps of the program, without its interventions."""
    progress, stepper = lab.begin(program, **options), Stepper(program)
    state = progress.state
    for _ in range(step):
        state, _, _ = stepper.step(state)
    return progress.replace(state=state)


# -- Prune


def test_a_chain_of_prunings_leaves_four_fifths_each_time_rounded_down(lab):
    program = lab.program(Prune(when=FIRST))
    seen = states(program, lab.begin(program))
    expected = [tree.size(seen[0].weights.masks)]
    for _ in range(5):
        expected.append(expected[-1] - ceil(expected[-1] / 5))
    assert [tree.kept(seen[4 * k + 1].weights.masks) for k in range(5)] == expected[1:]


def test_pruning_removes_the_smallest_weights_of_all_layers(lab):
    program = lab.program(Prune(when=At(at="5it")))
    before, after = kept(program, lab.begin(program), moment("before", "5it"), moment("after", "5it"))
    sizes = torch.cat([before.params[name].abs().flatten() for name in before.masks])
    gone = ~torch.cat([mask.flatten() for mask in after.masks.values()])
    assert int(gone.sum()) == ceil(len(sizes) / 5) and sizes[gone].max() <= sizes[~gone].min()
    assert all(bool((after.params[n][~m] == 0).all()) for n, m in after.masks.items())
    assert all(torch.equal(after.params[n][m], before.params[n][m]) for n, m in after.masks.items())


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.9), Adam()])
def test_pruning_clears_the_moments_of_what_it_removes_and_no_others(lab, optimizer):
    program = lab.program(Prune(when=At(at="5it")), optimizer=optimizer)
    progress = at_step(lab, program, 5)
    after = applied(program, progress)
    for name, mask in after.weights.masks.items():
        for part in optimizer.slots:
            assert bool((after.opt[part][name][~mask] == 0).all()) and bool((~mask).any())
            assert torch.equal(after.opt[part][name][mask], progress.state.opt[part][name][mask])
    assert {"count"} & after.opt.keys() == {"count"} & progress.state.opt.keys()


def test_scope_target_and_exclusions_are_passed_on(lab):
    def masks(**options):
        program = lab.program(Prune(amount=Remaining(fraction=0.5), **options))
        progress = lab.begin(program)
        return progress.state.weights.params, applied(program, progress).weights.masks

    _, excluded = masks(exclude=("fc.weight",))
    assert bool(excluded["fc.weight"].all()) and tree.sparsity(excluded) == pytest.approx(0.5, abs=0.01)
    _, layers = masks(scope="layer")
    assert all(tree.sparsity({n: m}) == pytest.approx(0.5, abs=0.05) for n, m in layers.items())
    params, largest = masks(target="largest", allow_collapse=True)
    cut = min(float(params[n][~m].abs().min()) for n, m in largest.items() if bool((~m).any()))
    assert cut >= max(float(params[n][m].abs().max()) for n, m in largest.items() if bool(m.any()))
    assert not tree.equal(masks(target="random")[1], masks()[1])


@pytest.mark.parametrize("curve", ["geometric", "linear", "cubic"])
@pytest.mark.parametrize("final", [0.5, 0.731])
def test_gradual_pruning_reaches_the_final_sparsity_exactly(lab, curve, final):
    program = lab.program(Prune(amount=Sparsity(final=final, curve=curve), when=FIRST))
    seen = states(program, lab.begin(program))
    total = tree.size(seen[0].weights.masks)
    assert total - tree.kept(seen[-1].weights.masks) == round(final * total)
    path = [seen[4 * k + 1].weights.sparsity for k in range(5)]
    assert path == sorted(path) and len(set(path)) >= 4  # at the flat end of the cubic, rounding may leave nothing


def test_what_cannot_be_removed_is_an_error_that_names_the_layer(lab):
    collapse = lab.program(Prune(amount=Sparsity(final=0.5), target="largest", exclude=("fc1.weight",)))
    with pytest.raises((LayerCollapse, Unreachable), match="fc"):
        train(collapse, lab.begin(collapse))


# -- Zero


def test_a_hold_lasts_exactly_as_long_as_it_says_and_leaves_masks_alone(lab):
    zero = Zero(amount=Remaining(fraction=0.5), hold="6it", when=At(at="3it"))
    program = lab.program(zero)
    seen = states(program, lab.begin(program))
    held = seen[4].held
    assert sum(int(where.sum()) for where in held.values()) == ceil(tree.size(held) / 2)
    for position in range(4, 10):  # zeroed before step 3, free again before step 9, read before what is due
        weights = seen[position].weights
        assert all(bool((weights.params[n][where] == 0).all()) for n, where in held.items())
        assert weights.masks is seen[0].weights.masks
    assert seen[10].held == {} and seen[10].memory["0:Zero"] == {}
    moved = [bool((seen[10].weights.params[n][where] != 0).any()) for n, where in held.items()]
    assert all(moved)


def test_moments_live_on_through_a_hold(lab):
    program = lab.program(Zero(amount=Remaining(fraction=0.5), when=At(at="5it")))
    progress = at_step(lab, program, 5)
    after = applied(program, progress)
    assert after.opt is progress.state.opt


@pytest.mark.parametrize("reentry", ["zero", "saved"])
def test_weights_come_back_at_zero_or_at_what_they_had(lab, reentry):
    program = lab.program(Zero(hold="4it", reentry=reentry, when=At(at="3it")))
    moments = [moment("before", "3it"), moment("after", "3it"), moment("after", "7it")]
    before, during, after = kept(program, lab.begin(program), *moments)
    held = {n: (during.params[n] == 0) & (before.params[n] != 0) for n in before.masks}
    for name, where in held.items():
        expected = before.params[name] if reentry == "saved" else torch.zeros_like(before.params[name])
        assert torch.equal(after.params[name][where], expected[where])


def test_overlapping_holds_take_other_weights_and_end_one_by_one(lab):
    zero = Zero(amount=Remaining(fraction=0.3), hold="6it", reentry="saved", when=FIRST.replace(end="12it"))
    program = lab.program(zero)
    seen = states(program, lab.begin(program))
    counts = [sum(int(w.sum()) for w in state.held.values()) for state in seen]
    total = tree.size(seen[0].weights.masks)
    first = ceil(0.3 * total)
    second = ceil(0.3 * (total - first))
    assert counts[1] == counts[4] == first  # 0 to 6
    assert counts[5] == first + second  # 4 to 10 joins
    assert counts[7] == second  # the first ended before step 6
    two = lab.program(zero, Zero(amount=Remaining(fraction=0.3), hold="2it", when=At(at="4it")))
    joined = states(two, lab.begin(two))[5].held
    assert sum(int(w.sum()) for w in joined.values()) > counts[5]


def test_what_is_pruned_while_held_stays_gone(lab):
    zero = Zero(amount=Remaining(fraction=0.5), hold="6it", reentry="saved", when=At(at="2it"))
    program = lab.program(zero, Prune(amount=Remaining(fraction=0.5), when=At(at="4it")))
    end = states(program, lab.begin(program))[-1]
    assert all(bool((end.weights.params[n][~m] == 0).all()) for n, m in end.weights.masks.items())
    assert end.held == {} and end.weights.sparsity == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("other", [Rewind(to=ELSEWHERE), Reinit(), Release(), Noise(std=0.5)])
def test_held_weights_stay_at_zero_whatever_happens_to_the_others(lab, other):
    other = other.replace(when=At(at="4it"))
    program = lab.program(Zero(amount=Remaining(fraction=0.5), hold="6it", when=At(at="2it")), other)
    program = lab.program(*program.interventions, references={ELSEWHERE.id: lab.weights(program, seed=3)})
    for state in states(program, lab.begin(program))[3:9]:
        assert state.held and all(bool((state.weights.params[n][w] == 0).all()) for n, w in state.held.items())


# -- Noise, Release, Rewind, Reinit


def test_noise_has_the_asked_standard_deviation_and_spares_what_is_gone(lab):
    big = lab.problem(lab.lenet.model.network.with_args(hidden=[400, 50]))
    program = lab.program(Noise(std=0.5), problem=big)
    progress = lab.begin(program, sparsity=0.5)
    after, before = applied(program, progress).weights, progress.state.weights
    for name, mask in before.masks.items():
        change = (after.params[name] - before.params[name])[mask]
        scale = 0.5 * float(before.params[name][mask].std())
        count = len(change)
        assert abs(float(change.mean())) < 5 * scale / count**0.5
        assert float(change.std()) == pytest.approx(scale, rel=5 / (2 * count) ** 0.5)
        assert bool((after.params[name][~mask] == 0).all())
    assert all(after.params[n] is before.params[n] for n in before.params if n not in before.masks)


def test_noise_acts_before_each_of_its_steps():
    clock = Clock(7, 20)
    several = Noise(std=1.0, length="3it", when=Every(start="2it", end="17it", period="7it"))
    assert several.events(clock) == (2, 3, 4, 9, 10, 11, 16, 17, 18)
    assert several.onsets(clock) == (2, 9, 16)


@pytest.mark.parametrize("value", [Noise(std=1.0, length="3it"), Zero(hold="3it")])
@pytest.mark.parametrize("when", [At(at="18it"), Every(start="2it", end="18it", period="8it")])
def test_noise_that_outlasts_the_run_is_refused(value, when):
    with pytest.raises(UsageError, match=r"'3it' from step 18 on outlasts the run, which ends after 20 steps"):
        value.replace(when=when).events(Clock(7, 20))
    value.replace(when=At(at="17it")).events(Clock(7, 20))


def test_released_weights_reenter_at_zero_and_train(lab):
    program = lab.program(Release(when=At(at="6it")))
    after = kept(program, lab.begin(program, sparsity=0.5), moment("after", "6it"))[0]
    gone = {n: ~m for n, m in lab.weights(program, sparsity=0.5).masks.items()}
    assert after.sparsity == 0.0 and all(bool((after.params[n][w] == 0).all()) for n, w in gone.items())
    end = train(program, lab.begin(program, sparsity=0.5)).state.weights
    assert all(bool((end.params[n][w] != 0).any()) for n, w in gone.items())


@pytest.mark.parametrize("what", ["all", "weights"])
def test_rewinding_restores_values_under_the_masks(lab, what):
    rewind = Rewind(to=ELSEWHERE, what=what, when=At(at="9it"))
    plain = lab.program(problem=lab.batchnorm)
    elsewhere = at_step(lab, plain, 3, seed=5).state.weights
    program = lab.program(rewind, problem=lab.batchnorm, references={ELSEWHERE.id: elsewhere})
    moments = [moment("before", "9it"), moment("after", "9it")]
    before, after = kept(program, lab.begin(program, sparsity=0.4), *moments)
    assert tree.equal(after.masks, before.masks)
    assert tree.equal(after.params, tree.masked(elsewhere.params, before.masks))
    assert tree.equal(after.buffers, elsewhere.buffers if what == "all" else before.buffers)


def test_reinitialization_draws_anew_and_forgets_moments(lab):
    program = lab.program(Reinit(when=At(at="5it")), problem=lab.batchnorm)
    progress = at_step(lab, program, 5, sparsity=0.4)
    after, later = applied(program, progress), progress.replace(state=progress.state.replace(step=5))
    assert tree.equal(applied(program, later).weights.params, after.weights.params)
    assert tree.equal(after.weights.masks, progress.state.weights.masks)
    assert tree.norm(after.opt["momentum"]) == 0
    assert float(after.weights.buffers["bn.num_batches_tracked"]) == 0
    name = "conv.weight"
    mask = after.weights.masks[name]
    assert not torch.isin(after.weights.params[name][mask], lab.weights(program).params[name]).any()
    assert bool((after.weights.params[name][~mask] == 0).all())
