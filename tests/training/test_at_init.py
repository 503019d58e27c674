"""Pruning at initialization: rounds, independent random masks, masks of another run, shuffled controls."""

from itertools import pairwise
from typing import ClassVar

import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import LayerCollapse, UsageError
from prunescope.base.reference import StateRef
from prunescope.base.streams import Seeds
from prunescope.base.tree import equal, kept, sparsity
from prunescope.base.value import Value
from prunescope.sparsity.allocation import allocate, share
from prunescope.sparsity.derivative_scores import SNIP, GraSP, SynFlow
from prunescope.sparsity.scores import Magnitude, Random
from prunescope.sparsity.select import Sparsity, remove_count
from prunescope.tasks.data.digits import digits
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import (
    Bernoulli,
    Grow,
    KeepAsMany,
    Prune,
    PruneRounds,
    ShuffleMasks,
    TakeMasks,
)
from prunescope.training.run import train
from prunescope.training.timeline import EventContext, Timeline


class Run(Value):
    by_id: ClassVar[bool] = True


ELSEWHERE = StateRef(run=Run())


def applied(lab, intervention, *, seeds=None, **changes):
    """The state before and after the intervention's event at initialization."""
    program = lab.program(intervention, seeds=seeds or Seeds(), **changes)
    progress = lab.begin(program)
    context = EventContext(Timeline(program, (), ()), progress, 0)
    return progress.state, intervention.apply(progress.state, context)


def masks_of(lab, intervention, **changes):
    return applied(lab, intervention, **changes)[1].weights.masks


def counts(masks):
    return {name: int(mask.sum()) for name, mask in masks.items()}


# -- rounds


def test_rounds_follow_the_exponential_schedule_and_score_anew(lab):
    """Against the rounds written out, each a single pruning to the schedule's density."""
    rounds, amount = 5, Sparsity(final=0.8)
    program = lab.program(PruneRounds(prune=Prune(amount=amount, score=SNIP()), rounds=rounds))
    progress = lab.begin(program)
    state = progress.state
    total = tree.size(state.weights.masks)
    for number in range(1, rounds + 1):
        gone = remove_count(amount, state.weights.masks, number, rounds)
        context = EventContext(Timeline(program, (), ()), progress.replace(state=state), 0)
        flat = torch.cat([s[state.weights.masks[n]] for n, s in SNIP().scores(state.weights, context).items()])
        threshold = flat.sort().values[gone - 1]
        scores = SNIP().scores(state.weights, context)
        masks = {name: mask & (scores[name] > threshold) for name, mask in state.weights.masks.items()}
        state = state.replace(
            weights=state.weights.replace(masks=masks, params=tree.masked(state.weights.params, masks))
        )
        assert kept(masks) == total - round((1 - 0.2 ** (number / rounds)) * total)
    assert equal(masks_of(lab, program.interventions[0]), state.weights.masks)
    assert not equal(masks_of(lab, Prune(amount=amount, score=SNIP())), state.weights.masks)


def test_rounds_of_a_score_that_stays_are_one_pruning_and_one_round_is_none_more(lab):
    prune = Prune(amount=Sparsity(final=0.7), score=Magnitude())
    assert equal(masks_of(lab, prune), masks_of(lab, PruneRounds(prune=prune, rounds=7)))
    snip = Prune(amount=Sparsity(final=0.7), score=SNIP(batches=2))
    assert equal(masks_of(lab, snip), masks_of(lab, PruneRounds(prune=snip, rounds=1)))


def test_a_hundred_rounds_of_synflow_keep_layers_alive_that_one_round_kills(lab):
    deep = lab.problem(network("prunescope.tasks.nets:LeNet", hidden=[40, 40, 4], inputs=16, classes=3))
    prune = Prune(amount=Sparsity(final=0.985), score=SynFlow())
    with pytest.raises(LayerCollapse, match=r"fc\d"):
        masks_of(lab, prune, problem=deep)
    masks = masks_of(lab, PruneRounds(prune=prune), problem=deep)
    assert all(count > 0 for count in counts(masks).values())
    assert sparsity(masks) == pytest.approx(0.985, abs=1e-3)


def test_collapse_names_the_layer_and_can_be_allowed(lab):
    prune = Prune(amount=Sparsity(final=0.98), score=Magnitude())
    with pytest.raises(LayerCollapse, match="fc") as caught:
        masks_of(lab, PruneRounds(prune=prune, rounds=3))
    masks = masks_of(lab, PruneRounds(prune=prune.replace(allow_collapse=True), rounds=3))
    assert [name for name, count in counts(masks).items() if count == 0 and name in str(caught.value)]


def test_rounds_that_rank_nothing_are_refused():
    with pytest.raises(UsageError, match="ranks nothing"):
        PruneRounds(prune=Prune(target="random"))
    with pytest.raises(UsageError):
        PruneRounds(rounds=0)


# -- independent random masks


def test_bernoulli_masks_are_nested_independent_draws_of_the_seed(lab):
    wide = lab.problem(network("prunescope.tasks.nets:LeNet", hidden=[200, 50], inputs=16, classes=3))
    made = [masks_of(lab, Bernoulli(keep=keep), problem=wide) for keep in (1.0, 0.7, 0.3, 0.1)]
    assert sparsity(made[0]) == 0
    for larger, smaller in pairwise(made):
        assert all(not bool((smaller[name] & ~larger[name]).any()) for name in smaller)
    total = tree.size(made[0])
    for keep, masks in zip((0.7, 0.3, 0.1), made[1:], strict=True):
        assert abs(kept(masks) - keep * total) < 4 * (keep * (1 - keep) * total) ** 0.5
    other = masks_of(lab, Bernoulli(keep=0.3), problem=wide, seeds=Seeds(mask=1))
    both = sum(int((made[2][name] & other[name]).sum()) for name in other)
    assert abs(both - 0.09 * total) < 4 * (0.09 * 0.91 * total) ** 0.5


def test_bernoulli_keeps_excluded_layers_and_the_values_of_what_it_keeps(lab):
    before, after = applied(lab, Bernoulli(keep=0.4, exclude=("fc.weight",)))
    assert bool(after.weights.masks["fc.weight"].all()) and sparsity(after.weights.masks) > 0.2
    assert equal(after.weights.params, tree.masked(before.weights.params, after.weights.masks))


def test_bernoulli_reports_an_empty_layer_and_impossible_settings(lab):
    with pytest.raises(LayerCollapse, match=r"remain in fc.* keep more \(keep=0\.0001\)"):
        masks_of(lab, Bernoulli(keep=1e-4))
    assert kept(masks_of(lab, Bernoulli(keep=1e-4, allow_collapse=True))) <= 2
    with pytest.raises(UsageError, match=r"exclude names nothing"):
        masks_of(lab, Bernoulli(keep=0.5, exclude=("nothing",)))
    for keep in (0.0, -0.1, 1.1):
        with pytest.raises(UsageError):
            Bernoulli(keep=keep)


# -- masks of another run, and the shuffled control


def test_a_ticket_is_the_other_runs_mask_on_own_values(lab):
    ticket = lab.weights(lab.program(), seed=3, sparsity=0.6)
    before, after = applied(lab, TakeMasks(of=ELSEWHERE), references={ELSEWHERE.id: ticket})
    assert equal(after.weights.masks, ticket.masks)
    assert equal(after.weights.params, tree.masked(before.weights.params, ticket.masks))


def test_masks_of_another_network_are_refused(lab):
    other = lab.weights(lab.program(problem=lab.batchnorm))
    with pytest.raises(UsageError, match="same network"):
        applied(lab, TakeMasks(of=ELSEWHERE), references={ELSEWHERE.id: other})


@pytest.mark.parametrize(
    "of",
    [
        Prune(amount=Sparsity(final=0.8), score=SNIP()),
        PruneRounds(prune=Prune(amount=Sparsity(final=0.8), score=SynFlow(), exclude=("fc.weight",)), rounds=4),
        TakeMasks(of=ELSEWHERE),
    ],
    ids=lambda of: type(of).__name__,
)
def test_shuffling_keeps_layer_counts_and_values_and_moves_the_pattern(lab, of):
    references = {ELSEWHERE.id: lab.weights(lab.program(), seed=3, sparsity=0.6)}
    before, after = applied(lab, ShuffleMasks(of=of), references=references)
    plain = masks_of(lab, of, references=references)
    assert counts(after.weights.masks) == counts(plain)
    assert not equal(after.weights.masks, plain)
    assert equal(after.weights.params, tree.masked(before.weights.params, after.weights.masks))


def test_shuffling_gives_every_place_the_same_chance(lab):
    control = ShuffleMasks(of=Prune(amount=Sparsity(final=0.5), score=Magnitude(), scope="layer"))
    seen = sum(masks_of(lab, control, seeds=Seeds(mask=seed))["fc2.weight"].long() for seed in range(200))
    # Binomial(200, 1/2) has standard deviation 7.1; the least and largest of 30.
    assert int(seen.min()) > 70 and int(seen.max()) < 130


def test_keeping_as_many_takes_the_layer_counts_of_another_run_and_random_weights(lab):
    ticket = lab.weights(lab.program(), seed=3, sparsity=0.6)
    before, after = applied(lab, KeepAsMany(of=ELSEWHERE), references={ELSEWHERE.id: ticket})
    assert counts(after.weights.masks) == counts(ticket.masks)
    assert not equal(after.weights.masks, ticket.masks)
    assert equal(after.weights.params, tree.masked(before.weights.params, after.weights.masks))
    other = lab.weights(lab.program(problem=lab.batchnorm))
    with pytest.raises(UsageError, match="same network"):
        applied(lab, KeepAsMany(of=ELSEWHERE), references={ELSEWHERE.id: other})


# -- every method trains


METHODS = {
    "random uniform": Prune(amount=Sparsity(final=0.8), score=Random(), scope="uniform"),
    "random ER": Prune(amount=Sparsity(final=0.8), score=Random(), scope="erdos_renyi"),
    "random ERK": Prune(amount=Sparsity(final=0.8), score=Random(), scope="erdos_renyi_kernel"),
    "bernoulli": Bernoulli(keep=0.2),
    "magnitude": Prune(amount=Sparsity(final=0.8), score=Magnitude()),
    "snip": Prune(amount=Sparsity(final=0.8), score=SNIP(batches=2)),
    "snip rounds": PruneRounds(prune=Prune(amount=Sparsity(final=0.8), score=SNIP()), rounds=5),
    "grasp": Prune(amount=Sparsity(final=0.8), score=GraSP(batches=2)),
    "synflow": PruneRounds(prune=Prune(amount=Sparsity(final=0.8), score=SynFlow())),
    "shuffled snip": ShuffleMasks(of=Prune(amount=Sparsity(final=0.8), score=SNIP())),
}
ER = METHODS["random ER"]
DYNAMIC = {
    "SET": (ER, Grow(by="random", decay="constant", period="10it")),
    "RigL": (ER, Grow(period="10it")),
}


@pytest.fixture(scope="module")
def problem():
    source = digits()
    net = network("prunescope.tasks.nets:LeNet", hidden=[40, 20], inputs=64)
    return Task(network=net, data=Data(source=source)).load(Seeds(), source.load())


@pytest.mark.parametrize(
    "interventions",
    [*((method,) for method in METHODS.values()), *DYNAMIC.values()],
    ids=[*METHODS, *DYNAMIC],
)
def test_it_trains_digits(lab, problem, interventions):
    program = lab.program(*interventions, problem=problem, steps=60, batch=100)
    losses = []

    def note(progress):
        losses.append(float(progress.running) / max(1, program.clock.into_epoch(progress.local)))
        return True

    progress = train(program, lab.begin(program), beat=note)
    weights = progress.state.weights
    assert progress.local == 60 and losses[-1] < 0.6 * losses[0]
    if not isinstance(interventions[0], Bernoulli):
        assert kept(weights.masks) == tree.size(weights.masks) - round(0.8 * tree.size(weights.masks))
    assert equal(weights.params, tree.masked(weights.params, weights.masks))


def test_the_random_layer_densities_of_digits_are_the_laws(lab, problem):
    masks = lab.weights(lab.program(problem=problem)).masks
    sizes = {name: leaf.numel() for name, leaf in masks.items()}
    for law in ("uniform", "erdos_renyi", "erdos_renyi_kernel"):
        prune = Prune(amount=Sparsity(final=0.8), score=Random(), scope=law)
        shares = {name: share(leaf.shape, law) for name, leaf in masks.items()}
        expected = allocate(round(0.2 * sum(sizes.values())), shares, sizes)
        assert counts(masks_of(lab, prune, problem=problem)) == expected
