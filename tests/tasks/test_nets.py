"""Sizes, arguments and replicas of the networks."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from prunescope.base.errors import UsageError
from prunescope.tasks.nets import VGG, CifarResNet, Conv4, LeNet, ResNet18, ResNet50
from prunescope.tasks.nets.arguments import scaled

BARTOLDSON_VGG = {
    "depth": 11,
    "last_pool": "max",
    "initialization": "kaiming_normal_fan_out",
    "batchnorm": "ones",
}

SMALL = [
    (LeNet, {"hidden": (6, 5), "inputs": 3 * 32 * 32}),
    (Conv4, {"scale": 0.05}),
    (VGG, {"depth": 11, "scale": 0.05}),
    (VGG, BARTOLDSON_VGG | {"scale": 0.05}),
    (CifarResNet, {"depth": 8, "width": 3}),
    (CifarResNet, {"depth": 8, "width": 3, "shortcut": "zero_pad"}),
    (ResNet18, {"scale": 0.05}),
    (ResNet50, {"scale": 0.05, "classes": 10}),
]


def build(network, arguments, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return network(**arguments)


def on_meta(network, arguments):
    with torch.device("meta"):
        return network(**arguments)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def maskable(network):
    return sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))


def images(count=3, size=32, dtype=torch.float32):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize(
    ("network", "arguments", "total", "weights"),
    [
        (LeNet, {}, 266_610, 266_200),
        (Conv4, {}, 1_250_858, 1_250_144),
        (VGG, {}, 14_728_266, 14_715_584),
        (VGG, BARTOLDSON_VGG, 9_231_114, 9_222_848),
        (VGG, {"depth": 19}, 20_040_522, 20_024_000),
        (CifarResNet, {}, 272_474, 270_896),
        (CifarResNet, {"depth": 32, "classes": 100}, 472_756, 470_192),
        (CifarResNet, {"depth": 32, "classes": 100, "width": 32}, 1_872_132, 1_867_104),
        (CifarResNet, {"shortcut": "zero_pad"}, 269_722, 268_336),
        (CifarResNet, {"depth": 56, "shortcut": "zero_pad"}, 853_018, 848_944),
        (ResNet18, {}, 11_173_962, 11_164_352),
        (ResNet18, {"classes": 100}, 11_220_132, 11_210_432),
        (ResNet50, {}, 25_557_032, 25_502_912),
    ],
)
def test_counts_are_those_of_the_papers(network, arguments, total, weights):
    network = on_meta(network, arguments)
    assert (parameters(network), maskable(network)) == (total, weights)


def test_conv4_holds_most_of_its_parameters_in_the_penultimate_layer():
    network = on_meta(Conv4, {})
    assert network.fc1.weight.numel() / parameters(network) == pytest.approx(0.943, abs=5e-4)


def test_vgg_11_holds_ninety_percent_of_its_parameters_in_the_last_four_convolutions():
    network = on_meta(VGG, BARTOLDSON_VGG)
    last = sum(getattr(network, f"conv{number}").weight.numel() for number in (5, 6, 7, 8))
    assert last / parameters(network) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("network", "ratios"),
    [
        (LeNet, [1, 0.78, 0.61, 0.49]),
        (CifarResNet, [1, 0.66, 0.39, 0.25, 0.19, 0.10, 0.06]),
    ],
)
def test_width_scaling_shrinks_the_parameters_as_in_the_paper(network, ratios):
    counts = [parameters(on_meta(network, {"scale": 0.8**k})) for k in range(len(ratios))]
    assert [round(count / counts[0], 2) for count in counts] == ratios


def test_scaling_reaches_every_hidden_width_and_no_other():
    network = on_meta(VGG, {"scale": 0.5})
    widths = [(m.in_channels, m.out_channels) for m in network if isinstance(m, nn.Conv2d)]
    assert [inputs for inputs, _ in widths] == [3, 32, 32, 64, 64, 128, 128, 128] + [256] * 5
    assert [outputs for _, outputs in widths] == [32, 32, 64, 64, 128, 128, 128] + [256] * 6
    assert (network.fc.in_features, network.fc.out_features) == (256, 10)


def test_lenet_takes_any_number_of_hidden_layers():
    network = LeNet(hidden=(7, 6, 5), inputs=4, classes=3)
    assert [name for name, _ in network.named_parameters() if name.endswith("weight")] == [
        "fc1.weight",
        "fc2.weight",
        "fc3.weight",
        "fc.weight",
    ]
    assert list(dict(LeNet(hidden=(), inputs=4).named_parameters())) == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize(("width", "scale", "units"), [(16, 0.8, 13), (100, 0.64, 64), (3, 0.01, 1), (8, 2.0, 16)])
def test_scaled_width_rounds_and_never_vanishes(width, scale, units):
    assert scaled(width, scale) == units


@pytest.mark.parametrize(("network", "arguments"), SMALL)
def test_logits_have_a_row_an_image_and_inputs_are_left_alone(network, arguments):
    x = images()
    before = x.clone()
    logits = build(network, arguments)(x)
    assert logits.shape == (3, 10)
    assert logits.isfinite().all()
    assert torch.equal(x, before)


@pytest.mark.parametrize(("network", "arguments"), SMALL)
@pytest.mark.parametrize("train", [False, True])
def test_replicas_under_vmap_equal_each_network_alone(network, arguments, train):
    members = [build(network, arguments, seed).double().train(train) for seed in (0, 1)]
    params, buffers = stack_module_state(members)
    x = images(dtype=torch.float64)
    stacked = vmap(lambda p, b: functional_call(members[0], (p, b), (x,)))(params, buffers)
    alone = torch.stack([member(x) for member in members])
    torch.testing.assert_close(stacked, alone)
    for index, member in enumerate(members):
        for name, buffer in member.named_buffers():
            torch.testing.assert_close(buffers[name][index], buffer)


@pytest.mark.parametrize(("network", "arguments"), SMALL)
def test_gradients_of_replicas_under_vmap_equal_each_network_alone(network, arguments):
    members = [build(network, arguments, seed).double().eval() for seed in (0, 1)]
    params, buffers = stack_module_state(members)
    x = images(dtype=torch.float64)

    def risk(p, b):
        return functional_call(members[0], (p, b), (x,)).square().mean()

    stacked = vmap(grad(risk))(params, buffers)
    for index, member in enumerate(members):
        member(x).square().mean().backward()
        for name, parameter in member.named_parameters():
            torch.testing.assert_close(stacked[name][index], parameter.grad)


@pytest.mark.parametrize(("network", "arguments"), SMALL)
def test_the_same_seed_gives_the_same_network_and_another_seed_another(network, arguments):
    first, again, other = (build(network, arguments, seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["fc.weight"], other["fc.weight"])


@pytest.mark.parametrize(
    ("network", "arguments", "message"),
    [
        (
            LeNet,
            {"initialization": "xavier"},
            "'xavier'.*'kaiming_normal', .*_fan_out', 'torch'",
        ),
        (VGG, {"batchnorm": "zeros"}, "'zeros'.*'ones', 'uniform'"),
        (VGG, {"depth": 12}, "12.*11, 13, 16, 19"),
        (VGG, {"last_pool": "min"}, "'min'.*'average', 'max'"),
        (CifarResNet, {"shortcut": "B"}, "'B'.*'projection', 'zero_pad'"),
        (CifarResNet, {"depth": 18}, r"18 is not 6 n \+ 2"),
        (CifarResNet, {"depth": 2}, r"2 is not 6 n \+ 2"),
        (CifarResNet, {"width": 0}, "width 0"),
        (LeNet, {"scale": 0.0}, "scale 0.0"),
        (ResNet50, {"scale": float("nan")}, "scale nan"),
        (ResNet18, {"scale": float("inf")}, "scale inf"),
    ],
)
def test_impossible_arguments_are_named_with_what_is_permitted(network, arguments, message):
    with pytest.raises(UsageError, match=message):
        network(**arguments)
