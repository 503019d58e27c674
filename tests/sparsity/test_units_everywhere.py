"""Networks without some units against the same network built smaller: outputs, and numbers of parameters."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torch_pruning
from torch import nn

from prunescope.base.state import Weights
from prunescope.sparsity.unit_count import parameters_gone
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.sparsity.unit_search import find_units

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(5))
TOKENS = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(6))
ROWS = torch.randn(3, 6, generator=torch.Generator().manual_seed(7))


class Squeezed(nn.Module):
    """MobileNetV3's block: expansion, depthwise convolution, squeeze and excitation, projection."""

    def __init__(self, width=4, squeeze=3):
        super().__init__()
        self.expand, self.bn1 = nn.Conv2d(3, width, 1, bias=False), nn.BatchNorm2d(width)
        self.depth, self.bn2 = nn.Conv2d(width, width, 3, groups=width), nn.BatchNorm2d(width)
        self.reduce, self.excite = nn.Conv2d(width, squeeze, 1), nn.Conv2d(squeeze, width, 1)
        self.project, self.fc = nn.Conv2d(width, 3, 1), nn.Linear(3, 2)

    def forward(self, x):
        y = F.hardswish(self.bn1(self.expand(x)))
        y = F.hardswish(self.bn2(self.depth(y)))
        y = y * F.hardsigmoid(self.excite(F.relu(self.reduce(y.mean((2, 3), keepdim=True)))))
        return self.fc((self.project(y)).mean((2, 3)))


class Twofold(nn.Module):
    """Two depthwise convolutions of the same channels, concatenated with these."""

    def __init__(self, width=4):
        super().__init__()
        self.enter, self.one = nn.Conv2d(3, width, 1), nn.Conv2d(width, width, 3, groups=width, padding=1)
        self.two = nn.Conv2d(width, 2 * width, 3, groups=width, padding=1)
        self.fc = nn.Conv2d(4 * width, 2, 1)

    def forward(self, x):
        x = F.relu(self.enter(x))
        return self.fc(torch.cat([self.one(x), x, F.gelu(self.two(x))], 1)).mean((2, 3))


class Grouped(nn.Module):
    """ResNeXt's block: a grouped convolution, whose groups stay, in a residual sum."""

    def __init__(self, width=4):
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 5, 3), nn.Conv2d(5, width, 1)
        self.bn, self.grouped = nn.BatchNorm2d(width), nn.Conv2d(width, 4, 3, groups=2, padding=1)
        self.last, self.fc = nn.Conv2d(4, 5, 1), nn.Linear(5, 2)

    def forward(self, x):
        x = self.stem(x)
        y = F.relu(self.grouped(F.relu(self.bn(self.first(x)))))
        x += self.last(y)
        return self.fc(F.relu_(x).mean((2, 3)))


class Dense(nn.Module):
    """DenseNet's block: what is concatenated is normalized by every layer that reads it."""

    def __init__(self, width=4):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(3 + width, 2, 3, padding=1)
        self.bn2, self.bn3 = nn.BatchNorm2d(3 + width), nn.BatchNorm2d(5 + width)
        self.fc = nn.Linear((5 + width) * 4, 2)

    def forward(self, x):
        x = torch.cat([x, self.one(x)], 1)
        x = torch.cat([x, self.two(F.relu(self.bn2(x)))], 1)
        return self.fc(F.max_pool2d(F.relu(self.bn3(x)), 4).flatten(1))


class Gated(nn.Module):
    """A gated unit in two layers (Llama's) or one, with an activation that keeps zeros or not."""

    def __init__(self, width=4, packed=False, gate=F.silu):
        super().__init__()
        self.packed, self.gate = packed, gate
        self.up = nn.Linear(6, 2 * width if packed else width)
        self.side = nn.Linear(6, 1 if packed else width)
        self.down = nn.Linear(width, 6)
        self.norm, self.fc = nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x):
        up, side = self.up(x).chunk(2, -1) if self.packed else (self.up(x), self.side(x))
        x = x + self.down(up * self.gate(side))
        return self.fc(self.norm(x).mean(1))


class Heads(nn.Module):
    """Attention before normalization, from one packed layer or three, with a second layer over tokens."""

    def __init__(self, heads=3, packed=True, groups=1):
        super().__init__()
        self.heads, self.kv, size = heads, heads // groups, 2 * heads
        if packed:
            self.qkv = nn.Linear(6, 3 * size)
        else:
            self.q, self.k, self.v = nn.Linear(6, size), nn.Linear(6, size // groups), nn.Linear(6, size // groups)
        self.proj, self.norm, self.fc = nn.Linear(size, 6), nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x):
        n, t, _ = x.shape
        packed = self.qkv(x).chunk(3, -1) if hasattr(self, "qkv") else (self.q(x), self.k(x), self.v(x))
        q, k, v = (part.reshape(n, t, -1, 2).transpose(1, 2) for part in packed)
        k, v = (part.repeat_interleave(self.heads // self.kv, 1) for part in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, -1)
        return self.fc(self.norm(x + self.proj(y)).mean(1))


class Conv1D(nn.Module):  # as in transformers.pytorch_utils
    def __init__(self, outputs, inputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(inputs, outputs)), nn.Parameter(torch.randn(outputs))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.shape[-1]), self.weight).view(*x.shape[:-1], -1)


class Turned(nn.Module):
    """Weights of shape [in, out], as GPT-2 has."""

    def __init__(self, width=4):
        super().__init__()
        self.up, self.down, self.fc = Conv1D(width, 6), Conv1D(6, width), nn.Linear(6, 2)

    def forward(self, x):
        return self.fc((x + self.down(F.gelu(self.up(x)))).mean(1))


class UNet(nn.Module):
    """A transposed convolution, and channels of the encoder that are read again after it."""

    def __init__(self, width=4, inner=5):
        super().__init__()
        self.enter, self.deep = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, inner, 2, stride=2)
        self.rise, self.out = nn.ConvTranspose2d(inner, 3, 2, stride=2), nn.Conv2d(width + 3, 2, 1)

    def forward(self, x):
        x = F.relu(self.enter(x))
        return self.out(torch.cat([F.relu(self.rise(F.relu(self.deep(x)))), x], 1)).mean((2, 3))


class Written(nn.Module):
    """Channels that are written into a part of another tensor, in place."""

    def __init__(self, width=4):
        super().__init__()
        self.one, self.fc, self.width = nn.Conv2d(3, width, 1), nn.Conv2d(width + 1, 2, 1), width

    def forward(self, x):
        room = x.new_ones(len(x), self.width + 1, *x.shape[2:])
        room[:, 1:] = self.one(x)
        return self.fc(room.relu_()).mean((2, 3))


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


class Mixed(nn.Module):
    """A tied layer, a recurrent one and a branch by value beside layers that are understood."""

    def __init__(self):
        super().__init__()
        self.tied, self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 5), nn.Linear(5, 6)
        self.lstm, self.inner, self.fc = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        x = self.tied(torch.tanh(self.tied(x)))
        x = x + self.second(F.relu(self.first(x)))
        return self.fc(F.relu(self.inner(self.lstm(x)[0][:, -1])))


def test_a_layer_that_is_not_understood_does_not_take_the_others_along():
    found = find_units(Mixed(), TOKENS)
    assert list(found.units) == ["first", "inner"]
    assert found.others["tied"] == "it is used more than once in a pass"
    assert "lstm.weight_ih_l0 goes into lstm" in found.others["lstm.weight_ih_l0"]


class Reused(nn.Module):
    """A weight that reads two layers, and a normalization after two others."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.shared, self.fc = nn.Linear(6, 4), nn.Linear(6, 4), nn.Linear(4, 5), nn.Linear(5, 2)
        self.three, self.four, self.bn, self.last = nn.Linear(6, 5), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 5)

    def forward(self, x):
        both = self.shared(F.relu(self.one(x))) + self.shared(F.relu(self.two(x)))
        return self.fc(both + self.last(F.relu(self.bn(self.three(x)) + self.bn(self.four(x)))))


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
