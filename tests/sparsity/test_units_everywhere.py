"""Networks without some units against the same network built smaller: outputs, and numbers of parameters."""

from functools import partial

import pytest
import torch
import torch_pruning
from unit_networks import (
    IMAGES,
    ROWS,
    TOKENS,
    Dense,
    Gated,
    Grouped,
    Heads,
    Mixed,
    Products,
    Reused,
    Squeezed,
    Turned,
    Twofold,
    UNet,
    Written,
)

from prunescope.base.state import Weights
from prunescope.sparsity.unit_count import parameters_gone
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.sparsity.unit_search import find_units

CASES = {
    # what is built, the layer, its units, input, what the smaller one is built with after units 1 and 2 are gone
    "expansion": (Squeezed, "expand", 4, IMAGES, {"width": 2}),
    "depthwise, twice": (Twofold, "enter", 4, IMAGES, {"width": 2}),
    "squeeze": (Squeezed, "reduce", 3, IMAGES, {"squeeze": 1}),
    "concatenation": (Dense, "one", 4, IMAGES, {"width": 2}),
    "gated": (Gated, "up", 4, TOKENS, {"width": 2}),
    "gated, packed": (partial(Gated, packed=True), "up", 4, TOKENS, {"width": 2}),
    "gated by a sigmoid": (partial(Gated, gate=torch.sigmoid), "up", 4, TOKENS, {"width": 2}),
    "heads": (Heads, "qkv", 3, TOKENS, {"heads": 1}),
    "heads in three layers": (partial(Heads, packed=False), "v", 3, TOKENS, {"heads": 1}),
    "heads that share keys": (partial(Heads, heads=6, packed=False, groups=2), "v", 3, TOKENS, {"heads": 2}),
    "columns": (Turned, "up", 4, TOKENS, {"width": 2}),
    "products": (Products, "up", 4, TOKENS, {"width": 2}),
    "encoder": (UNet, "enter", 4, IMAGES, {"width": 2}),
    "before a transposed one": (UNet, "deep", 5, IMAGES, {"inner": 3}),
    "transposed": (UNet, "rise", 3, IMAGES, None),
    "written in place": (Written, "one", 4, IMAGES, {"width": 2}),
}


def drawn(network):
    """Every parameter and statistic is some number, none of them 0."""
    draw = torch.Generator().manual_seed(2)
    for _, leaf in [*network.named_parameters(), *network.named_buffers()]:
        if leaf.is_floating_point():
            leaf.data = torch.rand(leaf.shape, generator=draw).double() + 0.2
            leaf.data *= 1 if leaf.ndim == 1 else torch.where(torch.rand(leaf.shape, generator=draw) < 0.5, -1, 1)
    return network.eval()


def without(network, units, gone):
    """The tensors of the network with these units at 0, and the masks of its weights."""
    tensors = {name: leaf.detach().clone() for name, leaf in network.state_dict().items()}
    masks = {name: torch.ones(leaf.shape, dtype=torch.bool) for name, leaf in network.named_parameters()}
    chosen = torch.tensor([unit in gone for unit in range(units.count)])
    for part in units.dying(normalization_follows=True):
        masks[part.name] = ~part.spread(chosen, tensors[part.name])
        tensors[part.name] *= masks[part.name]
    return tensors, masks, chosen


def cut(tensors, units, chosen):
    """The tensors without the places of the chosen units."""
    small = dict(tensors)
    for part in (*units.dying(normalization_follows=True), *units.statistics, *units.readers):
        if small[part.name].shape[part.axis] == len(part.units):  # else a column of a depthwise convolution
            small[part.name] = small[part.name].index_select(part.axis, (~part.where(chosen)).nonzero().flatten())
    return small


@pytest.mark.parametrize("case", CASES)
def test_the_masked_network_is_the_smaller_one(case):
    make, layer, count, x, smaller = CASES[case]
    network = drawn(make())
    units = find_units(network, x.double()).at(layer)
    assert units.count == count
    tensors, masks, chosen = without(network, units, {1, 2})
    masked = torch.func.functional_call(network, tensors, (x.double(),))
    assert float((masked - network(x.double())).detach().abs().max()) > 1e-3
    counts = parameters_gone(Weights(dict(network.named_parameters()), {}, masks), [units])
    if smaller is None:  # one layer of it has fewer channels, which no argument says
        assert counts.structural == 2 * (5 * 4 + 1) + 2 * 2
        return
    small = make(**smaller).double().eval()
    small.load_state_dict(cut(tensors, units, chosen))
    torch.testing.assert_close(small(x.double()), masked, rtol=1e-12, atol=1e-12)
    assert counts.total - counts.structural == sum(leaf.numel() for leaf in small.parameters())


def test_a_grouped_convolution_keeps_its_groups():
    """Columns of each group are counted for themselves: two rows read one column less, two keep both."""
    network = drawn(Grouped())
    found = find_units(network, IMAGES.double())
    units = found.at("first")
    tensors, masks, _ = without(network, units, {1})
    counts = parameters_gone(Weights(dict(network.named_parameters()), {}, masks), [units])
    assert counts.own == 5 + 1 + 2 and counts.structural == counts.own + 2 * 9
    other = {**tensors, "grouped.weight": tensors["grouped.weight"].clone()}
    other["grouped.weight"][:2, 1] = 7.0  # what reads the unit may be anything
    same = (torch.func.functional_call(network, leaves, (IMAGES.double(),)) for leaves in (tensors, other))
    assert torch.equal(*same)
    assert "shortcut is added" in found.others["last"] and found.at("grouped").count == 4


@pytest.mark.parametrize(("make", "layer"), [(Squeezed, "expand"), (Squeezed, "reduce")])
def test_torch_pruning_removes_the_same(make, layer):
    """It is left out where it fails itself: at the input beside a layer in one concatenation."""
    network = drawn(make())
    units = find_units(network, IMAGES.double()).at(layer)
    tensors, masks, _ = without(network, units, {0, 2})
    masked = torch.func.functional_call(network, tensors, (IMAGES.double(),))
    counts = parameters_gone(Weights(dict(network.named_parameters()), {}, masks), [units])
    graph = torch_pruning.DependencyGraph().build_dependency(network, example_inputs=IMAGES.double())
    module = network.get_submodule(layer)
    graph.get_pruning_group(module, torch_pruning.prune_conv_out_channels, idxs=[0, 2]).prune()
    torch.testing.assert_close(network(IMAGES.double()), masked, rtol=1e-12, atol=1e-12)
    assert sum(leaf.numel() for leaf in network.parameters()) == counts.total - counts.structural


def test_a_layer_that_is_not_understood_does_not_take_the_others_along():
    found = find_units(Mixed(), TOKENS)
    assert list(found.units) == ["first", "inner"]
    assert found.others["tied"] == "it is used more than once in a pass"
    assert "lstm.weight_ih_l0 goes into lstm" in found.others["lstm.weight_ih_l0"]


def test_a_column_stays_where_its_weight_reads_something_else_too():
    network = drawn(Reused())
    found = find_units(network, ROWS.double())
    units = found.at("one")
    _, masks, _ = without(network, units, {1})
    counts = parameters_gone(Weights(dict(network.named_parameters()), {}, masks), [units])
    assert counts.structural == counts.own == 6 + 1
    assert "bn, which is used more than once" in found.others["three"] and "three" not in found.units


def test_one_head_is_no_unit():
    found = find_units(Heads(heads=1), TOKENS)
    assert found.others["qkv"] == "its 6 rows act on the same inputs, so that they are one unit"


def test_a_units_norm_is_that_of_all_its_weights():
    network = drawn(Heads(packed=False))
    units = find_units(network, TOKENS.double()).at("v")
    params = {name: leaf.detach() for name, leaf in network.named_parameters()}
    slow = [
        sum(float(w) ** 2 for name in "qkv" for w in params[f"{name}.weight"][2 * h : 2 * h + 2].flatten()) ** 0.5
        for h in range(3)
    ]
    scores = FilterNorm().scores(Weights(params, {}, {}), units, {})
    assert scores.tolist() == pytest.approx(slow, rel=1e-12)
