"""Families of recipes, and that the field's protocols are what they say."""

from itertools import pairwise

import pytest
from specimens import Normed, recipe, train

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.streams import replicate
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import (
    at_init,
    dense,
    during_training,
    extended,
    final,
    grid,
    imp,
    one_shot,
    replicates,
    width,
    with_data,
    with_network,
)
from prunescope.sparsity.select import Remaining, Sparsity
from prunescope.training.interventions import At, Noise, Prune, Rewind
from prunescope.training.optim import SGD, Adam

NORMED = f"{Normed.__module__}:Normed"


def trained(store, chain, *moments):
    """The final weights of each level, and those of moments of the first one."""
    bench = Workbench(store)
    for level, value in enumerate(chain):
        train(bench, value, moments=moments if level == 0 else ())
    return [bench.weights(final(value)) for value in chain]


def same(left, right):
    return all(tree.equal(getattr(left, part), getattr(right, part)) for part in ("params", "buffers", "masks"))


@pytest.mark.parametrize("rewind", ["0it", "1ep"])
def test_extended_training_is_pruning_of_nothing_bit_for_bit(store, rewind):
    base = recipe(path=NORMED)
    nothing = Prune(amount=Remaining(fraction=0.0))
    longer = trained(store, extended(base, levels=2, rewind=rewind))
    pruned = trained(store, imp(base, levels=2, prune=nothing, rewind=rewind))
    assert all(same(a, b) for a, b in zip(longer, pruned, strict=True))
    assert not same(longer[1], longer[2]) and not same(longer[0], longer[1])
    assert int(longer[2].buffers["2.num_batches_tracked"]) == (27 if rewind == "0it" else 21)
    ids = [value.id for value in extended(base, levels=2, rewind=rewind)]
    assert ids[1:] != [value.id for value in imp(base, levels=2, prune=nothing, rewind=rewind)][1:]


def test_learning_rate_rewinding_goes_on_from_the_last_weights(store):
    base = recipe(path=NORMED)
    chain = imp(base, levels=2, rewind="1ep")
    assert [value.begin for value in chain] == ["0it", "1ep", "1ep"]
    assert [value.steps for value in chain] == [9, 6, 6]
    assert [value.start for value in chain[1:]] == [final(chain[0]), final(chain[1])]
    weights = trained(store, chain)
    kept = [tree.kept(w.masks) for w in weights]
    total = kept[0]
    assert kept == [total, total - -(-total // 5), kept[1] - -(-kept[1] // 5)]
    for earlier, later in pairwise(weights):
        assert all(not bool((later.masks[n] & ~earlier.masks[n]).any()) for n in later.masks)


def test_weight_rewinding_restores_values_and_statistics_under_the_new_masks(store):
    base = recipe(path=NORMED)
    chain = imp(base, levels=1, rewind="1ep", retrain="weight")
    early, after = Moment(when="step", at="1ep"), Moment(when="after", at="0it")
    bench = Workbench(store)
    train(bench, chain[0], moments=(early,))
    train(bench, chain[1], moments=(after,))
    source = bench.weights(StateRef(run=chain[0], moment=early))
    start = bench.weights(StateRef(run=chain[1], moment=after))
    end = bench.weights(final(chain[0]))
    assert tree.equal(start.params, tree.masked(source.params, start.masks))
    assert tree.equal(start.buffers, source.buffers) and not tree.equal(start.buffers, end.buffers)
    smallest = Prune(amount=Remaining(fraction=0.2))
    assert smallest in chain[1].interventions and isinstance(chain[1].interventions[1], Rewind)
    magnitudes = {n: end.params[n].abs() for n in start.masks}
    gone = max(float(magnitudes[n][~m].max()) for n, m in start.masks.items() if bool((~m).any()))
    assert gone <= min(float(magnitudes[n][m].min()) for n, m in start.masks.items())


def test_fine_tuning_takes_the_last_part_of_the_schedule():
    base = recipe(length="10ep")
    chain = imp(base, levels=2, retrain="fine_tune", fine_tune="2ep")
    assert [value.steps for value in chain] == [30, 6, 6] and chain[1].begin == "24it"
    assert chain[1].schedule == base.schedule and len(chain[1].interventions) == 1


def test_chains_of_one_prefix_share_it():
    base = recipe()
    assert [v.id for v in imp(base, levels=2)] == [v.id for v in imp(base, levels=4)][:3]
    assert extended(base, levels=1)[0].id == imp(base, levels=0)[0].id == dense(base).id
    assert one_shot(base, prune=Prune())[1].id == imp(base, levels=1)[1].id


def test_one_shot_prunes_once_to_its_target(store):
    prune = Prune(amount=Sparsity(final=0.6))
    weights = trained(store, one_shot(recipe(), prune=prune, rewind="1ep"))
    assert weights[0].sparsity == 0.0 and weights[1].sparsity == pytest.approx(0.6, abs=0.005)


def test_pruning_at_initialization_comes_before_everything_else(store):
    noise = Noise(std=0.1)
    value = at_init(during_training(recipe(), noise), Prune(when=At(at="50%")))
    assert value.interventions == (Prune(when=At(at="0it")), noise)
    bench = Workbench(store)
    before, after = (Moment(when=when, at="0it") for when in ("before", "after"))
    train(bench, value, moments=(before, after))
    assert bench.weights(StateRef(run=value, moment=before)).sparsity == 0
    assert bench.weights(StateRef(run=value, moment=after)).sparsity == pytest.approx(0.2, abs=0.005)
    with pytest.raises(UsageError, match="this one has Prune, Noise"):
        dense(value)


def test_widths_shrink_by_a_factor():
    narrower = width(recipe(hidden=(100, 50)), levels=2, factor=0.8)
    assert [value.task.network.args["scale"] for value in narrower] == pytest.approx([1, 0.8, 0.64])
    built = [value.task.network.build() for value in narrower]
    assert [(net.fc1.out_features, net.fc2.out_features) for net in built] == [(100, 50), (80, 40), (64, 32)]
    assert narrower[0].id == recipe(hidden=(100, 50)).id


def test_replicates_differ_by_their_seeds_alone():
    three = replicates(recipe(), 3)
    assert [value.seeds for value in three] == [replicate(k) for k in range(3)]
    assert len({value.id for value in three}) == 3
    assert len({value.replace(seeds=replicate(0)).id for value in three}) == 1


def test_a_grid_has_every_combination():
    optimizers = (SGD(), Adam())
    found = grid(recipe(), batch=(16, 32), optimizer=optimizers)
    assert list(found) == [(b, o) for b in (16, 32) for o in optimizers]
    assert all((value.batch, value.optimizer) == key for key, value in found.items())
    assert grid(recipe()) == {(): recipe()}


def test_data_and_network_change_by_name():
    noisy = with_data(recipe(), label_noise=0.5)
    assert noisy.task.data.label_noise == 0.5 and noisy.task.network == recipe().task.network
    assert with_network(recipe(), hidden=(3,)).task.network.args["hidden"] == [3]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda: imp(recipe(), levels=-1), "levels=-1 is negative"),
        (lambda: imp(recipe(), levels=1, retrain="fine_tune"), "needs fine_tune"),
        (lambda: imp(recipe(), levels=1, retrain="fine_tune", fine_tune="99ep"), "of a schedule of 9"),
        (lambda: imp(recipe(), levels=1, fine_tune="1ep"), "leave it out"),
        (lambda: width(recipe(path=NORMED), levels=1), "no argument 'scale'"),
        (lambda: width(recipe(), levels=-1), "levels is 0 or more"),
        (lambda: grid(recipe(), batches=(1, 2)), r"no field \['batches'\]"),
        (lambda: with_network(recipe(), depth=3), "it takes hidden"),
    ],
)
def test_impossible_families_are_refused_with_the_fix(wrong, match):
    with pytest.raises(UsageError, match=match):
        wrong()


def test_interventions_of_every_level_act_behind_pruning_and_rewinding():
    base, noise = recipe(), Noise(std=0.1)
    plain, chain = imp(base, levels=2, retrain="weight"), imp(base, levels=2, retrain="weight", also=(noise,))
    assert chain[0] == base.replace(interventions=(noise,))
    assert [[type(value).__name__ for value in run.interventions] for run in chain] == [
        ["Noise"],
        ["Prune", "Rewind", "Noise"],
        ["Prune", "Rewind", "Noise"],
    ]
    assert chain[1].interventions[1].to.run == chain[0], "what is rewound to is this chain's own dense network"
    assert [run.id for run in imp(base, levels=2, retrain="weight", also=())] == [run.id for run in plain]
    with pytest.raises(UsageError, match=r"has Noise; remove them first .*imp\(\.\.\., also="):
        imp(chain[0], levels=1)


def test_events_outside_a_run_are_refused_before_any_work(store):
    late = recipe().replace(interventions=(Noise(std=0.1, when=At(at="100ep")),))
    with pytest.raises(UsageError, match=r"'100ep' is step \d+, but the run has"):
        ensure(late, store=store, workers=1)
    assert not list(store.root.glob("logs/*"))
