"""How many weights each layer keeps."""

from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prunescope.base.errors import LayerCollapse, UsageError
from prunescope.base.streams import stream
from prunescope.sparsity.allocation import allocate, share
from prunescope.sparsity.select import choose

LENET = {"fc.weight": (10, 100), "fc1.weight": (300, 784), "fc2.weight": (100, 300)}
CONV = {"conv1.weight": (16, 3, 3, 3), "conv2.weight": (32, 16, 3, 3), "fc.weight": (10, 32)}
LAWS = ["uniform", "erdos_renyi", "erdos_renyi_kernel"]


def kept_counts(shapes, density, law):
    """What `choose` leaves of dense layers."""
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    shares = {name: share(shape, law) for name, shape in shapes.items()}
    return allocate(round(density * sum(sizes.values())), shares, sizes)


def raw_density(shape, law):
    """The papers' formulas, as they stand."""
    outputs, inputs, *kernel = shape
    if law == "uniform":
        return 1.0
    if law == "erdos_renyi":
        return (inputs + outputs) / (inputs * outputs)
    return (inputs + outputs + sum(kernel)) / (inputs * outputs * prod(kernel))


def reference(shapes, density, law):
    """Densities by bisection on the common factor, capped at 1: another way to the same point."""
    total = density * sum(prod(shape) for shape in shapes.values())
    low, high = 0.0, 1e9
    for _ in range(200):
        factor = (low + high) / 2
        found = {name: min(1.0, factor * raw_density(shape, law)) for name, shape in shapes.items()}
        if sum(found[name] * prod(shape) for name, shape in shapes.items()) < total:
            low = factor
        else:
            high = factor
    return found


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("shapes", [LENET, CONV], ids=["lenet", "conv"])
@pytest.mark.parametrize("density", [0.01, 0.1, 0.5, 0.9, 1.0])
def test_counts_are_the_formulas_densities_to_within_a_weight_and_exact_in_sum(shapes, law, density):
    counts = kept_counts(shapes, density=density, law=law)
    exact = reference(shapes, density, law)
    assert sum(counts.values()) == round(density * sum(prod(shape) for shape in shapes.values()))
    for name, shape in shapes.items():
        assert 0 <= counts[name] <= prod(shape)
        # round() moved the total by up to half a weight before it was split.
        assert abs(counts[name] - exact[name] * prod(shape)) < 1.5


def test_small_layers_fill_up_and_leave_more_to_the_others():
    counts = kept_counts(CONV, density=0.5, law="erdos_renyi_kernel")
    assert counts["fc.weight"] == 320 and counts["conv1.weight"] == 432
    assert counts["conv2.weight"] == round(0.5 * (432 + 4608 + 320)) - 320 - 432


def test_the_kernel_enters_only_one_law():
    assert share((8, 4, 3, 3), "erdos_renyi") == 12 * 9
    assert share((8, 4, 3, 3), "erdos_renyi_kernel") == 18
    assert share((8, 4), "erdos_renyi") == share((8, 4), "erdos_renyi_kernel") == 12


@given(
    parts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 40)), min_size=1, max_size=6),
    portion=st.floats(0, 1),
)
def test_allocation_is_exact_and_within_capacity(parts, portion):
    shares = {f"{number}": part for number, (part, _) in enumerate(parts)}
    capacity = {f"{number}": room if part else 0 for number, (part, room) in enumerate(parts)}
    total = int(portion * sum(capacity.values()))
    found = allocate(total, shares, capacity)
    assert sum(found.values()) == total
    assert all(0 <= found[name] <= capacity[name] for name in shares)


@pytest.mark.parametrize("law", LAWS)
def test_the_scope_of_that_name_leaves_those_counts(law):
    masks = {name: torch.ones(shape, dtype=torch.bool) for name, shape in CONV.items()}
    scores = {name: torch.rand(shape, generator=stream(0, name)) for name, shape in CONV.items()}
    counts = kept_counts(CONV, density=0.2, law=law)
    gone = sum(mask.numel() for mask in masks.values()) - sum(counts.values())
    chosen = choose(scores, masks, count=gone, scope=law)
    assert {name: int(mask.sum()) for name, mask in chosen.items()} == counts
    for name, mask in chosen.items():  # and inside a layer, the smallest went
        assert bool(mask.all()) or float(scores[name][mask].min()) > float(scores[name][~mask].max())


def test_excluded_layers_stay_dense_and_the_others_make_up_for_them():
    masks = {name: torch.ones(shape, dtype=torch.bool) for name, shape in LENET.items()}
    drawn = {name: torch.rand(shape, generator=stream(0, name)) for name, shape in LENET.items()}
    chosen = choose(drawn, masks, count=200_000, scope="erdos_renyi", exclude=frozenset({"fc.weight"}))
    assert bool(chosen["fc.weight"].all())
    rest = {name: shape for name, shape in LENET.items() if name != "fc.weight"}
    exact = reference(rest, 1 - 200_000 / sum(prod(shape) for shape in rest.values()), "erdos_renyi")
    for name in rest:
        assert abs(int(chosen[name].sum()) - exact[name] * chosen[name].numel()) < 1


def test_what_cannot_be_is_said():
    with pytest.raises(UsageError, match="no inputs and outputs"):
        share((5,), "erdos_renyi")
    masks = {"a": torch.ones(1000, 1000, dtype=torch.bool), "b": torch.ones(2, 2, dtype=torch.bool)}
    with pytest.raises(LayerCollapse, match="b"):
        choose(
            {name: torch.rand(mask.shape, generator=stream(0, name)) for name, mask in masks.items()},
            masks,
            count=1_000_003,
            scope="erdos_renyi",
        )
