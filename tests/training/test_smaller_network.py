"""A network with removed filters computes what the physically smaller network computes, in evaluation mode."""

import copy

import pytest
import torch
import torch.nn.functional as F
import torch_pruning
from unit_lab import RESIDUAL, begin, layer, problem, program, states

from prunescope.sparsity.unit_count import parameters_gone
from prunescope.training.interventions import PruneUnits
from prunescope.training.timeline import Timeline

VGG = problem("VGG", depth=11, scale=0.05, last_pool="max", batchnorm="ones")
SMALL = torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LARGE = torch.randn(4, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def double(leaf):
    return leaf.double() if leaf.is_floating_point() else leaf


def module_of(plan, weights):
    """A module of its own that holds these weights, in float64."""
    module = copy.deepcopy(plan.problem.model.network.build()).double().eval()
    tensors = {name: double(leaf) for name, leaf in (weights.params | weights.buffers).items()}
    module.load_state_dict(tensors)
    return module


def logits(plan, weights, x):
    params, buffers = ({k: double(v) for k, v in part.items()} for part in (weights.params, weights.buffers))
    return plan.problem.model.apply(params, buffers, x, train=False)[0]


def dead(weights, name):
    return (~weights.masks[f"{name}.weight"].flatten(1).any(1)).nonzero().flatten().tolist()


def thinned(module, weights, names, x):
    """The module without the dead filters, made by torch-pruning."""
    graph = torch_pruning.DependencyGraph().build_dependency(module, example_inputs=x)
    for name in names:
        layer = module.get_submodule(name)
        graph.get_pruning_group(layer, torch_pruning.prune_conv_out_channels, idxs=dead(weights, name)).prune()
    return module


@pytest.mark.parametrize("target", ["smallest", "largest"])
def test_inner_filters_of_a_residual_network(monkeypatch, target):
    names = ("layer2.0.conv1", "layer4.0.conv1", "layer4.1.conv1")
    prune = PruneUnits(layers=tuple(layer(name) for name in names), target=target)
    plan = program(RESIDUAL, prune)
    weights = states(plan, monkeypatch=monkeypatch)[-1].weights
    module = thinned(module_of(plan, weights), weights, names, SMALL)
    assert module.layer4[0].conv1.weight.shape == (16, 16, 3, 3)
    torch.testing.assert_close(module(SMALL), logits(plan, weights, SMALL), rtol=1e-10, atol=1e-10)
    found = plan.problem.model.structure
    counts = parameters_gone(weights, [found.at(name) for name in names])
    assert sum(leaf.numel() for leaf in module.parameters()) == counts.total - counts.structural


def test_filters_of_a_chain():
    """Initial weights and statistics moved by hand, since a VGG wants images of 32 x 32."""
    names = ("conv5", "conv6", "conv7", "conv8")
    VGG.model.example = LARGE.float()
    plan = program(VGG, PruneUnits(layers=tuple(layer(n, start="0ep", end="0ep", fraction=0.7) for n in names)))
    progress = begin(plan)
    draw = torch.Generator().manual_seed(3)
    weights = progress.state.weights
    moved = {
        n: torch.rand(p.shape, generator=draw) if "bn" in n or "bias" in n else p for n, p in weights.params.items()
    }
    stats = {n: torch.rand(b.shape, generator=draw) + 0.5 if "running" in n else b for n, b in weights.buffers.items()}
    state = progress.state.replace(weights=weights.replace(params=moved, buffers=stats))
    timeline = Timeline(plan, (), ())
    weights = timeline.arrive(progress.replace(state=state)).state.weights
    module = thinned(module_of(plan, weights), weights, names, LARGE)
    assert module.conv8.weight.shape[:2] == (8, 8) and module.fc.weight.shape == (3, 8)
    torch.testing.assert_close(module(LARGE), logits(plan, weights, LARGE), rtol=1e-10, atol=1e-10)


def test_weights_alone_would_not_do(monkeypatch):
    """Without gamma and beta, a removed filter still puts out a constant."""
    names = ("layer4.0.conv1",)
    plan = program(RESIDUAL, PruneUnits(layers=(layer(names[0]),), normalization_follows=False))
    weights = states(plan, monkeypatch=monkeypatch)[-1].weights
    module = thinned(module_of(plan, weights), weights, names, SMALL)
    assert float((module(SMALL) - logits(plan, weights, SMALL)).detach().abs().max()) > 1e-4


def by_gather_and_scatter(weights, x, blocks):
    """Logits of a network whose blocks compute their live channels only, and put them in their places in the stream."""
    leaf = {name: double(value) for name, value in (weights.params | weights.buffers).items()}

    def norm(x, name, rows):
        mean, var, gamma, beta = (
            leaf[f"{name}.{part}"][rows] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, gamma, beta)

    def live(name):
        return weights.masks[f"{name}.weight"].flatten(1).any(1).nonzero().flatten()

    x = F.relu(norm(F.conv2d(x, leaf["conv1.weight"], padding=1), "bn1", slice(None)))
    for block, stride in blocks:
        inner, outer = live(f"{block}.conv1"), live(f"{block}.conv2")
        first, second = leaf[f"{block}.conv1.weight"][inner], leaf[f"{block}.conv2.weight"][outer][:, inner]
        out = F.relu(norm(F.conv2d(x, first, padding=1, stride=stride), f"{block}.bn1", inner))
        out = norm(F.conv2d(out, second, padding=1), f"{block}.bn2", outer)
        if f"{block}.shortcut.conv.weight" in leaf:
            own = F.conv2d(x, leaf[f"{block}.shortcut.conv.weight"][outer], stride=stride)
            own = norm(own, f"{block}.shortcut.bn", outer)
        else:
            own = x[:, outer]
        whole = out.new_zeros(len(x), len(leaf[f"{block}.bn2.weight"]), *out.shape[2:])
        x = whole.index_copy(1, outer, F.relu(out + own))
    return x.mean((2, 3)) @ leaf["fc.weight"].T + leaf["fc.bias"]


def test_outputs_of_blocks_on_the_shared_stream(monkeypatch):
    blocks = [(f"layer{s}.{b}", 2 if s > 1 and b == 0 else 1) for s in range(1, 5) for b in range(2)]
    names = [f"{block}.conv{k}" for block, _ in blocks for k in (1, 2)]
    plan = program(RESIDUAL, PruneUnits(layers=tuple(layer(n, fraction=0.4) for n in names), target="largest"))
    weights = states(plan, monkeypatch=monkeypatch)[-1].weights
    assert all(dead(weights, name) for name in names)
    small = by_gather_and_scatter(weights, SMALL, blocks)
    torch.testing.assert_close(small, logits(plan, weights, SMALL), rtol=1e-10, atol=1e-10)
    opened = {n: b | True if n.endswith("gate") else b for n, b in weights.buffers.items()}
    apart = logits(plan, weights.replace(buffers=opened), SMALL) - small
    assert float(apart.abs().max()) > 1e-3  # the gate is what makes them equal
