import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from prunescope.base.errors import Diverged, LayerCollapse, Unreachable, UsageError
from prunescope.base.streams import stream
from prunescope.base.tree import Masks, Tree, clone, equal, kept, size, sparsity
from prunescope.sparsity.select import Remaining, Sparsity, choose, per_layer, remove_count

LENET = {"fc.weight": (10, 100), "fc1.weight": (300, 784), "fc2.weight": (100, 300)}


def dense(shapes: dict[str, tuple[int, ...]]) -> Masks:
    return {name: torch.ones(shape, dtype=torch.bool) for name, shape in shapes.items()}


def normal(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Tree:
    generator = stream(seed, "scores")
    return {name: torch.randn(shape, generator=generator).abs() for name, shape in shapes.items()}


def removed(before: Masks, after: Masks) -> set[tuple[str, int]]:
    pairs = set()
    for name, mask in before.items():
        assert not bool((after[name] & ~mask).any()), "a removed weight came back"
        pairs |= {(name, int(i)) for i in (mask & ~after[name]).flatten().nonzero()}
    return pairs


def candidates(masks: Masks, exclude: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    return [
        (name, index)
        for name in sorted(masks)
        if name not in exclude
        for index, alive in enumerate(masks[name].flatten().tolist())
        if alive
    ]


@st.composite
def networks(draw: st.DrawFn) -> tuple[Tree, Masks]:
    """Scores with many ties under masks with some weights gone, names out of order."""
    scores, masks = {}, {}
    for name in draw(st.permutations(["c", "a", "b"])):
        shape = draw(st.sampled_from([(1,), (4,), (2, 3), (3, 2, 2)]))
        entries = math.prod(shape)
        values = draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=entries, max_size=entries))
        alive = draw(st.lists(st.booleans(), min_size=entries, max_size=entries))
        scores[name] = torch.tensor(values).reshape(shape)
        masks[name] = torch.tensor(alive).reshape(shape)
    return scores, masks


@settings(max_examples=150, deadline=None)
@given(networks(), st.data())
def test_global_choice_is_a_stable_sort(network, data):
    scores, masks = network
    exclude = data.draw(st.frozensets(st.sampled_from(["a", "b"])))
    target = data.draw(st.sampled_from(["smallest", "largest"]))
    pool = candidates(masks, exclude)
    count = data.draw(st.integers(0, len(pool)))
    sign = 1 if target == "smallest" else -1
    ranked = sorted(pool, key=lambda pair: sign * float(scores[pair[0]].flatten()[pair[1]]))
    chosen = choose(scores, masks, count=count, target=target, exclude=exclude, allow_collapse=True)
    assert removed(masks, chosen) == set(ranked[:count])


@settings(max_examples=150, deadline=None)
@given(networks(), st.data())
def test_openlth_ties_keep_what_is_strictly_above_the_threshold(network, data):
    scores, masks = network
    pool = candidates(masks)
    count = data.draw(st.integers(1, max(1, len(pool) - 1)))
    value = {pair: float(scores[pair[0]].flatten()[pair[1]]) for pair in pool}
    if count + 1 > len(pool):
        with pytest.raises(Unreachable):
            choose(scores, masks, count=count, ties="openlth", allow_collapse=True)
        return
    threshold = sorted(value.values())[count]
    chosen = choose(scores, masks, count=count, ties="openlth", allow_collapse=True)
    assert removed(masks, chosen) == {pair for pair in pool if value[pair] <= threshold}


@settings(max_examples=150, deadline=None)
@given(networks(), st.data())
def test_layer_scope_takes_each_layers_share_to_within_one_weight(network, data):
    scores, masks = network
    pool = candidates(masks)
    count = data.draw(st.integers(0, len(pool)))
    gone = removed(masks, choose(scores, masks, count=count, scope="layer", allow_collapse=True))
    assert len(gone) == count
    for name in masks:
        own = [pair for pair in pool if pair[0] == name]
        lost = [pair for pair in gone if pair[0] == name]
        assert abs(len(lost) - count * len(own) / max(1, len(pool))) < 1
        ranked = sorted(own, key=lambda pair: float(scores[name].flatten()[pair[1]]))
        assert set(lost) == set(ranked[: len(lost)])


def common_density(masks: Masks, left: int) -> float:
    """The density d with sum_l min(remaining_l, d * size_l) = left, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        total = sum(min(int(m.sum()), middle * m.numel()) for m in masks.values())
        low, high = (middle, high) if total < left else (low, middle)
    return high


@settings(max_examples=150, deadline=None)
@given(networks(), st.data())
def test_uniform_scope_ends_at_one_density_except_in_layers_that_are_sparser(network, data):
    scores, masks = network
    count = data.draw(st.integers(0, kept(masks)))
    chosen = choose(scores, masks, count=count, scope="uniform", allow_collapse=True)
    assert len(removed(masks, chosen)) == count
    density = common_density(masks, kept(masks) - count)
    for name, mask in masks.items():
        expected = min(int(mask.sum()), density * mask.numel())
        assert abs(int(chosen[name].sum()) - expected) < 1 + 1e-9


def test_rounding_favors_the_largest_remainder_then_the_name():
    masks = dense({"a": (3,), "b": (3,), "c": (4,)})
    scores = normal({"a": (3,), "b": (3,), "c": (4,)})
    chosen = choose(scores, masks, count=4, scope="layer")
    # Shares 1.2, 1.2, 1.6: the one left over goes to c.
    assert {name: int((~mask).sum()) for name, mask in chosen.items()} == {"a": 1, "b": 1, "c": 2}
    chosen = choose(scores, dense({"a": (3,), "b": (3,)}), count=3, scope="layer")
    assert {name: int((~mask).sum()) for name, mask in chosen.items()} == {"a": 2, "b": 1}


def test_agrees_with_torch_global_unstructured():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(40, 30), nn.Linear(30, 20), nn.Linear(20, 10))
    scores = {f"{i}.weight": layer.weight.detach().abs().clone() for i, layer in enumerate(net)}
    masks = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    for count in (300, 401, 57):
        masks = choose(scores, masks, count=count)
        prune.global_unstructured([(layer, "weight") for layer in net], prune.L1Unstructured, amount=count)
    for i, layer in enumerate(net):
        assert torch.equal(masks[f"{i}.weight"], layer.weight_mask.bool())


@pytest.mark.parametrize("scope", ["global", "layer", "uniform"])
@pytest.mark.parametrize("target", ["smallest", "largest", "random"])
def test_a_chain_is_exact_nested_and_leaves_its_inputs_alone(scope, target):
    shapes = {"b": (20, 7), "a": (5, 3, 3, 3), "c": (11,)}
    masks, scores = dense(shapes), normal(shapes)
    for level in range(8):
        before, copies = clone(masks), clone(scores)
        after = choose(
            scores,
            masks,
            count=29,
            scope=scope,
            target=target,
            generator=stream(0, "target", level),
            exclude=frozenset({"c"}),
        )
        assert len(removed(masks, after)) == 29
        assert torch.equal(after["c"], masks["c"])
        assert equal(masks, before) and equal(scores, copies)
        masks = after


def test_masks_do_not_share_memory():
    masks = dense({"a": (5,), "b": (6,)})
    chosen = choose(normal({"a": (5,), "b": (6,)}), masks, count=3)
    assert {leaf.untyped_storage().nbytes() for leaf in chosen.values()} == {5, 6}


def test_random_target_gives_every_candidate_the_same_chance():
    masks = {"a": torch.tensor([True, False, True]), "b": torch.tensor([[True, True], [True, False]])}
    hits = dict.fromkeys(candidates(masks), 0)
    for seed in range(500):
        chosen = choose({}, masks, count=2, target="random", generator=stream(seed, "t"), allow_collapse=True)
        for pair in removed(masks, chosen):
            hits[pair] += 1
    # Binomial(500, 2/5) has mean 200 and standard deviation 11.
    assert all(155 < hit < 245 for hit in hits.values())


def test_random_target_follows_its_generator():
    masks = dense({"a": (100,)})
    draws = [choose({}, masks, count=50, target="random", generator=stream(s, "t")) for s in (0, 0, 1)]
    assert equal(draws[0], draws[1]) and not equal(draws[0], draws[2])


def test_lenet_chain_has_the_known_counts_with_its_output_layer_spared():
    masks, scores = dense(LENET), normal(LENET)
    assert size(masks) == 266_200
    remaining = 266_200
    for level in range(1, 21):
        count = remove_count(Remaining(fraction=0.2), masks, 1, 1)
        assert count == -(-remaining // 5)
        masks = choose(scores, masks, count=count, exclude=frozenset({"fc.weight"}))
        remaining -= count
        assert kept(masks) == remaining
        assert sparsity(masks) == pytest.approx(1 - 0.8**level, abs=5 / 266_200)
    assert int(masks["fc.weight"].sum()) == 1000


def test_remaining_is_exact_where_floating_point_is_not():
    # 0.07 * 100 is 7.000000000000001 in floating point.
    assert remove_count(Remaining(fraction=0.07), dense({"a": (100,)}), 1, 1) == 7


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ("linear", [0.225, 0.45, 0.675, 0.9]),
        ("cubic", [0.9 * (1 - 0.75**3), 0.9 * (1 - 0.5**3), 0.9 * (1 - 0.25**3), 0.9]),
        ("geometric", [1 - 0.1**0.25, 1 - 0.1**0.5, 1 - 0.1**0.75, 0.9]),
    ],
)
def test_sparsity_follows_its_curve_and_ends_exactly(curve, expected):
    shapes = {"a": (100, 70), "b": (300, 10)}
    masks, scores, reached = dense(shapes), normal(shapes), []
    for event in range(1, 5):
        count = remove_count(Sparsity(final=0.9, curve=curve), masks, event, 4)
        masks = choose(scores, masks, count=count)
        reached.append(sparsity(masks))
    assert reached == pytest.approx(expected, abs=0.5001 / 10_000)
    assert kept(masks) == 1000


def test_sparsity_that_is_reached_already_removes_nothing():
    masks = {"a": torch.arange(100) < 30}
    assert remove_count(Sparsity(final=0.5), masks, 1, 1) == 0
    assert remove_count(Sparsity(final=0.9, curve="linear"), masks, 1, 2) == 0
    assert remove_count(Sparsity(final=0.9, curve="linear"), masks, 2, 2) == 20


def test_per_layer_names_every_layers_own_sparsity():
    assert per_layer({"b": torch.arange(4) < 1, "a": torch.ones(2, 2).bool()}) == {"a": 0.0, "b": 0.75}


@pytest.mark.parametrize("wrong", [1.0, -0.2])
def test_shares_outside_zero_and_one_are_refused(wrong):
    with pytest.raises(UsageError):
        Remaining(fraction=wrong)
    with pytest.raises(UsageError):
        Sparsity(final=wrong)


def test_a_share_of_zero_removes_nothing():
    assert remove_count(Remaining(fraction=0.0), dense({"a": (100,)}), 1, 1) == 0


def test_excluding_what_is_not_maskable_lists_what_is():
    with pytest.raises(UsageError, match=r"exclude names fc\.bias; maskable are a, b"):
        choose({}, dense({"b": (2,), "a": (2,)}), count=1, exclude=frozenset({"fc.bias"}))


def test_too_many_names_the_counts_and_the_excluded_layers():
    masks = dense({"a": (6,), "b": (4,)})
    with pytest.raises(Unreachable, match=r"cannot remove 7 weights: 6 remain.*b \(4\)"):
        choose(normal({"a": (6,), "b": (4,)}), masks, count=7, exclude=frozenset({"b"}))
    with pytest.raises(Unreachable, match="cannot remove 11 weights: 10 remain"):
        choose(normal({"a": (6,), "b": (4,)}), masks, count=10, ties="openlth")


def test_a_layer_that_would_lose_its_last_weight_is_named():
    masks = dense({"a": (3,), "b": (3,)})
    scores = {"a": torch.tensor([4.0, 5.0, 6.0]), "b": torch.tensor([1.0, 2.0, 3.0])}
    with pytest.raises(LayerCollapse, match=r"remain in b \(its last 3 of 3 would go\); remove fewer"):
        choose(scores, masks, count=3)
    collapsed = choose(scores, masks, count=3, allow_collapse=True)
    assert not bool(collapsed["b"].any())
    # What is empty already cannot collapse once more.
    assert kept(choose(scores, collapsed, count=1)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1}, "count=-1 is negative"),
        ({"count": 1, "target": "random"}, "needs generator"),
        ({"count": 1, "target": "random", "ties": "openlth", "generator": torch.Generator()}, "no meaning"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        choose(normal({"a": (4,)}), dense({"a": (4,)}), **arguments)


def test_missing_or_misshapen_scores_are_refused():
    masks = dense({"a": (2, 3), "b": (4,)})
    with pytest.raises(UsageError, match="shape for a, b"):
        choose(normal({"a": (3, 2)}), masks, count=1)


def test_a_score_that_is_not_a_number_is_refused_unless_its_weight_is_gone():
    scores = {"a": torch.tensor([1.0, math.nan, 3.0])}
    with pytest.raises(Diverged, match="not a number"):
        choose(scores, dense({"a": (3,)}), count=1)
    chosen = choose(scores, {"a": torch.tensor([True, False, True])}, count=1)
    assert chosen["a"].tolist() == [False, False, True]
