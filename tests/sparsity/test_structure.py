"""Where units are found, and where they are refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.sparsity import unit_search
from prunescope.sparsity.structure import Part, Units, gates, removed_units
from prunescope.tasks.nets import VGG, CifarResNet, Conv4, GatedCifarResNet, GatedResNet18, LeNet, ResNet18

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def find_units(network, example=IMAGES):
    return unit_search.find_units(network, example[:, :1, :28, :28] if isinstance(network, LeNet) else example)


def rows(name, count):
    return Part(name, tuple(range(count)))


def names(parts):
    return tuple(part.name for part in parts)


def test_a_chain_of_convolutions_with_batchnorm():
    found = find_units(VGG(depth=11, scale=0.05, last_pool="max"))
    assert list(found.units) == [f"conv{k}" for k in range(1, 9)]
    last = found.at("conv8")
    affine = (rows("bn8.weight", 26), rows("bn8.bias", 26))
    reader = Part("fc.weight", tuple(range(26)), 1)
    parts = ((rows("conv8.weight", 26),), (rows("conv8.bias", 26),), affine, (reader,))
    assert last == Units("conv8", 26, *parts, norm="bn8", output="bn8")
    assert names(last.dying(normalization_follows=True)) == ("conv8.weight", "conv8.bias", "bn8.weight", "bn8.bias")
    assert names(last.dying(normalization_follows=False)) == ("conv8.weight",)
    assert names(last.statistics) == ("bn8.running_mean", "bn8.running_var")
    assert found.at("conv3").readers == (Part("conv4.weight", tuple(range(13)), 1),)
    assert found.others == {"fc": "it is the output layer"}


def test_neurons_without_batchnorm_lose_their_bias_whatever_follows():
    found = find_units(Conv4(scale=0.1))
    assert list(found.units) == ["conv1", "conv2", "conv3", "conv4", "fc1"]
    # 6 x 6 positions are inputs of their own
    assert found.at("conv4").readers == (Part("fc1.weight", tuple(c for c in range(6) for _ in range(36)), 1),)
    for follows in (True, False):
        assert found.at("fc1").dying(normalization_follows=follows) == (rows("fc1.weight", 51), rows("fc1.bias", 51))
    assert list(find_units(LeNet()).units) == ["fc1", "fc2"]


@pytest.mark.parametrize(
    "network",
    [GatedResNet18(width=4), GatedCifarResNet(depth=8, width=4, shortcut="zero_pad")],
    ids=["ResNet18", "zero_pad"],
)
def test_every_convolution_in_a_block_of_a_gated_network_has_units(network):
    found = find_units(network)
    blocks = [f"{prefix}.{name}" for prefix, block in network.named_modules() if hasattr(block, "sum")
              for name in ("conv1", "conv2")]  # fmt: skip
    assert list(found.units) == ["conv1", *blocks]
    for layer in blocks:
        block = layer.rpartition(".")[0]
        inner = layer.endswith("conv1")
        assert found.at(layer).output == f"{block}.{'bn1' if inner else 'sum'}"
        assert found.at(layer).gate == ("" if inner else f"{block}.sum.gate")
        assert found.at(layer).norm == f"{block}.bn{layer[-1]}"


def test_a_convolution_before_a_sum_needs_a_gate():
    for network in (ResNet18(width=4), CifarResNet(depth=8, width=4)):
        found = find_units(network)
        assert "layer2.0.conv1" in found.units and "layer2.0.conv2" not in found.units
        with pytest.raises(UsageError, match=r"layer2\.0\.conv2.*shortcut is added.*gated.*layers with units: conv1"):
            found.at("layer2.0.conv2")


def test_a_projection_shares_its_gate_with_the_block_and_has_no_units_of_its_own():
    with pytest.raises(UsageError, match=r"together with those of layer2\.0\.conv2"):
        find_units(GatedResNet18(width=4)).at("layer2.0.shortcut.conv")


def test_a_layer_that_is_not_there_is_an_error_that_lists_those_that_are():
    with pytest.raises(UsageError, match=r"no layer 'conv9'.*conv1, conv2, conv3, conv4, fc1"):
        find_units(Conv4(scale=0.1)).at("conv9")


class Free(nn.Module):
    """A user's network, in functions and methods."""

    def __init__(self, between):
        super().__init__()
        self.conv, self.other, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.Linear(20, 2)
        self.bn, self.between = nn.BatchNorm2d(4), between

    def forward(self, x):
        x = F.max_pool2d(self.between(self.bn(self.conv(x))), 2)
        x = torch.relu(self.other(x))
        return self.fc(x.view(x.size(0), -1))


def test_a_users_own_forward_pass_is_followed():
    found = find_units(Free(nn.GELU()), torch.randn(2, 3, 10, 10))
    assert found.at("conv").norm == "bn" and found.at("conv").output == "bn"
    assert found.at("conv").readers == (Part("other.weight", (0, 1, 2, 3), 1),)
    assert found.at("other").readers == (Part("fc.weight", tuple(c for c in range(5) for _ in range(4)), 1),)


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        (nn.Sigmoid(), "may not keep zeros, before other"),
        (nn.Softplus(), "may not keep zeros, before other"),
        (nn.GroupNorm(1, 4), "normalized or mixed before other"),
        (nn.BatchNorm2d(4, affine=False), "may not keep zeros, before other"),
        (nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.ReLU()), "may not keep zeros, before other"),
    ],
    ids=["sigmoid", "softplus", "group norm", "norm without gamma", "norm without gamma, ReLU"],
)
def test_units_whose_zero_would_not_last_are_refused(between, reason):
    found = find_units(Free(between), torch.randn(2, 3, 10, 10))
    assert reason in found.others["conv"] and "other" in found.units


@pytest.mark.parametrize("between", [nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)), nn.BatchNorm2d(4)])
def test_gamma_and_beta_of_every_norm_die(between):
    units = find_units(Free(between), torch.randn(2, 3, 10, 10)).at("conv")
    assert units.norm == "bn" and len(units.norms) == 4
    assert units.affine == ("bn.weight", "bn.bias")


def test_a_forward_pass_that_branches_on_data_is_an_error():
    class Branching(LeNet):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    with pytest.raises(UsageError, match=r"Branching cannot be found.*without branches on data"):
        find_units(Branching())


def test_a_layer_used_twice_is_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.fc = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, x):
            return self.fc(torch.relu(self.inner(torch.relu(self.inner(x)))))

    assert find_units(Twice(), torch.randn(2, 3)).others["inner"] == "it is used more than once in a pass"


def test_rows_gone_and_gates():
    units = unit_search.find_units(LeNet(hidden=(3,), inputs=2), torch.randn(2, 2)).at("fc1")
    mask = torch.tensor([[True, False], [False, False], [True, True]])
    assert removed_units({"fc1.weight": mask}, units).tolist() == [False, True, False]
    where = torch.tensor([True, False])
    assert rows("w", 2).spread(where, torch.zeros(2, 3)).tolist() == [[True] * 3, [False] * 3]
    columns = Part("w", (1, -1, 0), 1)
    assert columns.spread(where, torch.zeros(2, 3)).tolist() == [[False, False, True]] * 2
    buffers = dict(GatedResNet18(width=4).named_buffers())
    assert len(gates(buffers)) == 8 and all(name.endswith(".sum.gate") for name in gates(buffers))
