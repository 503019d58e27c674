"""Every network's forward pass against loops and sums written out, in float64."""

import itertools

import pytest
import torch
from torch import nn

from prunescope.tasks.nets import VGG, CifarResNet, Conv4, LeNet, ResNet18, ResNet50, TwoLayer
from prunescope.tasks.nets.resnet import Bottleneck, ZeroPad


def build(network, arguments, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return network(**arguments)


def images(count=3, size=32, dtype=torch.float32):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=dtype)


def slow_conv(layer, x):
    n, _, height, width = x.shape
    size, stride, pad = layer.kernel_size[0], layer.stride[0], layer.padding[0]
    padded = x.new_zeros(n, x.shape[1], height + 2 * pad, width + 2 * pad)
    padded[:, :, pad : pad + height, pad : pad + width] = x
    rows, columns = ((extent + 2 * pad - size) // stride + 1 for extent in (height, width))
    out = x.new_zeros(n, layer.out_channels, rows, columns)
    for i, j in itertools.product(range(size), repeat=2):
        window = padded[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
        out += torch.einsum("nchw,oc->nohw", window, layer.weight[:, :, i, j])
    return out if layer.bias is None else out + layer.bias[:, None, None]


def slow_norm(layer, x):
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = (x - mean).square().mean((0, 2, 3), keepdim=True)
    normal = (x - mean) / (variance + layer.eps).sqrt()
    return normal * layer.weight[:, None, None] + layer.bias[:, None, None]


def slow_pool(x, how):
    n, c, height, width = x.shape
    cells = x[:, :, : height // 2 * 2, : width // 2 * 2].reshape(n, c, height // 2, 2, width // 2, 2)
    return cells.amax((3, 5)) if how == "max" else cells.mean((3, 5))


def slow_linear(layer, x):
    return x @ layer.weight.T + layer.bias


def slow_zero_pad(x, outputs):
    n, inputs, height, width = x.shape
    out = x.new_zeros(n, outputs, (height + 1) // 2, (width + 1) // 2)
    before = (outputs - inputs) // 2
    for c, i, j in itertools.product(range(inputs), range(out.shape[2]), range(out.shape[3])):
        out[:, before + c, i, j] = x[:, c, 2 * i, 2 * j]
    return out


def slow_shortcut(block, x, outputs):
    if isinstance(block.shortcut, nn.Identity):
        return x
    if isinstance(block.shortcut, ZeroPad):
        return slow_zero_pad(x, outputs)
    return slow_norm(block.shortcut.bn, slow_conv(block.shortcut.conv, x))


def slow_resnet(network, x):
    x = slow_norm(network.bn1, slow_conv(network.conv1, x)).clamp(min=0)
    for block in (block for stage in (network.layer1, network.layer2, network.layer3) for block in stage):
        inner = slow_norm(block.bn1, slow_conv(block.conv1, x)).clamp(min=0)
        inner = slow_norm(block.bn2, slow_conv(block.conv2, inner))
        x = (inner + slow_shortcut(block, x, inner.shape[1])).clamp(min=0)
    return slow_linear(network.fc, x.mean((2, 3)))


def slow_vgg(network, x, plan, last_pool):
    number = 0
    for stage, convolutions in enumerate(plan):
        for _ in range(convolutions):
            number += 1
            x = slow_conv(getattr(network, f"conv{number}"), x)
            x = slow_norm(getattr(network, f"bn{number}"), x).clamp(min=0)
        x = slow_pool(x, last_pool if stage == 4 else "max")
    return slow_linear(network.fc, x[:, :, 0, 0])


def slow_conv4(network, x):
    for pair in ((network.conv1, network.conv2), (network.conv3, network.conv4)):
        for layer in pair:
            x = slow_conv(layer, x).clamp(min=0)
        x = slow_pool(x, "max")
    return slow_linear(network.fc, slow_linear(network.fc1, x.reshape(len(x), -1)).clamp(min=0))


def check(network, reference, x):
    network = network.double().train()
    with torch.no_grad():
        torch.testing.assert_close(network(x), reference(network, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shortcut", ["projection", "zero_pad"])
@pytest.mark.parametrize("depth", [8, 14])
def test_cifar_resnet_equals_loops(shortcut, depth):
    network = build(CifarResNet, {"depth": depth, "width": 3, "shortcut": shortcut})
    check(network, slow_resnet, images(size=12, dtype=torch.float64))


@pytest.mark.parametrize(("depth", "plan"), [(11, (1, 1, 2, 2, 2)), (16, (2, 2, 3, 3, 3)), (19, (2, 2, 4, 4, 4))])
@pytest.mark.parametrize("last_pool", ["average", "max"])
def test_vgg_equals_loops(depth, plan, last_pool):
    network = build(VGG, {"depth": depth, "scale": 0.03, "last_pool": last_pool})
    # The last maps have 2x2 pixels: eight images keep their BatchNorm statistics well conditioned.
    check(network, lambda net, x: slow_vgg(net, x, plan, last_pool), images(8, dtype=torch.float64))


def test_conv4_equals_loops():
    check(build(Conv4, {"scale": 0.1}), slow_conv4, images(dtype=torch.float64))


def test_lenet_equals_loops():
    def reference(network, x):
        x = x.reshape(len(x), -1)
        for layer in (network.fc1, network.fc2):
            x = slow_linear(layer, x).clamp(min=0)
        return slow_linear(network.fc, x)

    check(build(LeNet, {"hidden": (6, 5), "inputs": 48}), reference, images(size=4, dtype=torch.float64))


def test_bottleneck_equals_loops_and_strides_in_its_middle():
    def reference(block, x):
        inner = slow_norm(block.bn1, slow_conv(block.conv1, x)).clamp(min=0)
        inner = slow_norm(block.bn2, slow_conv(block.conv2, inner)).clamp(min=0)
        inner = slow_norm(block.bn3, slow_conv(block.conv3, inner))
        return (inner + slow_shortcut(block, x, inner.shape[1])).clamp(min=0)

    block = build(Bottleneck, {"inputs": 3, "width": 2, "stride": 2, "shortcut": "projection"})
    check(block, reference, images(size=6, dtype=torch.float64))
    assert [layer.stride[0] for layer in (block.conv1, block.conv2, block.conv3)] == [1, 2, 1]


def test_two_layer_equals_loops():
    network = build(TwoLayer, {"inputs": 5, "width": 4, "classes": 3, "deviation": 1.0}).double()
    x = torch.randn(6, 2, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    with torch.no_grad():
        expected = torch.zeros(6, 3, dtype=torch.float64)
        for i, j, r, p in itertools.product(range(6), range(3), range(4), range(2)):
            product = sum(float(network.fc1.weight[4 * j + r, k] * x[i, p, k]) for k in range(5))
            expected[i, j] += max(0.0, product) ** 3
        torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize(("inputs", "outputs", "size"), [(4, 8, 6), (3, 6, 5), (13, 26, 4)])
def test_zero_pad_equals_copying_pixel_by_pixel(inputs, outputs, size):
    x = torch.randn(2, inputs, size, size, generator=torch.Generator().manual_seed(3))
    assert torch.equal(ZeroPad(inputs, outputs, stride=2)(x), slow_zero_pad(x, outputs))


def strides(network):
    return {
        name: module.stride[0]
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.MaxPool2d) and module.stride not in (1, (1, 1))
    }


def test_resnets_halve_the_resolution_in_the_first_block_of_each_later_stage():
    halved = {f"layer{stage}.0.{layer}": 2 for stage in (2, 3) for layer in ("conv1", "shortcut.conv")}
    assert strides(CifarResNet()) == halved
    assert strides(ResNet18(scale=0.05)) == halved | {"layer4.0.conv1": 2, "layer4.0.shortcut.conv": 2}


def test_imagenet_stem_divides_the_resolution_by_four():
    network = build(ResNet50, {"scale": 0.05}).eval()
    layers = list(network)
    with torch.no_grad():
        stem = nn.Sequential(*layers[:4])(images(1, size=64))
        assert stem.shape == (1, 3, 16, 16)
        assert nn.Sequential(*layers[4:8])(stem).shape == (1, 3 * 8 * 4, 2, 2)
    assert network.conv1.kernel_size == (7, 7)


def test_sums_before_the_last_relu_of_a_block_can_be_observed():
    network = build(CifarResNet, {"depth": 8, "width": 3})
    seen = []
    network.layer2[0].sum.register_forward_hook(lambda module, inputs, output: seen.append(output))
    network.layer2[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(images())
    before, after = seen
    assert (before < 0).any()
    assert torch.equal(before.clamp(min=0), after)
