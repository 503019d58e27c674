"""Where units are found, and where they are refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.sparsity.structure import Units, find_units, gates, removed_units, spread_rows
from prunescope.tasks.nets import VGG, CifarResNet, Conv4, GatedCifarResNet, GatedResNet18, LeNet, ResNet18


def test_a_chain_of_convolutions_with_batchnorm():
    found = find_units(VGG(depth=11, scale=0.05, last_pool="max"))
    assert list(found.units) == [f"conv{k}" for k in range(1, 9)]
    last = found.at("conv8")
    assert last == Units("conv8", 26, True, "bn8", "", "bn8", (("fc.weight", 1),))
    assert last.dying(normalization_follows=True) == ("conv8.weight", "conv8.bias", "bn8.weight", "bn8.bias")
    assert last.dying(normalization_follows=False) == ("conv8.weight",)
    assert found.at("conv3").readers == (("conv4.weight", 1),)
    assert found.others == {"fc": "it is the output layer"}


def test_neurons_without_batchnorm_lose_their_bias_whatever_follows():
    found = find_units(Conv4(scale=0.1))
    assert list(found.units) == ["conv1", "conv2", "conv3", "conv4", "fc1"]
    assert found.at("conv4").readers == (("fc1.weight", 36),)  # 6 x 6 positions are inputs of their own
    for follows in (True, False):
        assert found.at("fc1").dying(normalization_follows=follows) == ("fc1.weight", "fc1.bias")
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
    found = find_units(Free(nn.GELU()))
    assert found.at("conv") == Units("conv", 4, True, "bn", "", "bn", (("other.weight", 1),))
    assert found.at("other").readers == (("fc.weight", 4),)


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        (nn.Sigmoid(), "may not keep zeros, at between"),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)), "normalized after an activation"),
        (nn.BatchNorm2d(4), "normalized after an activation"),
    ],
    ids=["sigmoid", "late norm", "two norms"],
)
def test_units_whose_zero_would_not_last_are_refused(between, reason):
    found = find_units(Free(between))
    assert reason in found.others["conv"] and "other" in found.units


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

    assert find_units(Twice()).others["inner"] == "it is used more than once in a pass"


def test_rows_gone_and_gates():
    units = find_units(LeNet(hidden=(3,), inputs=2)).at("fc1")
    mask = torch.tensor([[True, False], [False, False], [True, True]])
    assert removed_units({"fc1.weight": mask}, units).tolist() == [False, True, False]
    where = torch.tensor([True, False])
    assert spread_rows(where, torch.zeros(2, 3)).tolist() == [[True] * 3, [False] * 3]
    buffers = dict(GatedResNet18(width=4).named_buffers())
    assert len(gates(buffers)) == 8 and all(name.endswith(".sum.gate") for name in gates(buffers))
