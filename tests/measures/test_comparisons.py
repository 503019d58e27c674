"""Comparisons against a slow float64 reference that calls the module itself by `functional_call`."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.measures import Barrier, Comparison, LayerDistance, LayerSensitivity, by_layer
from prunescope.measures.measure import State, same_examples
from prunescope.tasks.data.source import InMemory
from prunescope.tasks.fitting import weights_from
from prunescope.tasks.losses import cross_entropy
from prunescope.tasks.model import Model, network_of
from prunescope.tasks.task import Problem, Split

TRAIN, TEST, CLASSES = 40, 30, 3


class Normed(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, CLASSES))


class Plain(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, CLASSES))


class Spectral(nn.Sequential):
    def __init__(self):
        super().__init__(spectral_norm(nn.Linear(5, 6)), nn.ReLU(), nn.Linear(6, CLASSES))


def split(count, seed):
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(count, 5, generator=generator), torch.arange(count) % CLASSES
    return Split(InMemory(x + y[:, None]), torch.arange(count), y, y)


def states(cls, seeds=(0, 1), zeros=4):
    """Two modules with statistics of their own, the second with zeros, and both as states of one problem."""
    modules = []
    for seed in seeds:
        torch.manual_seed(seed)
        module = cls()
        for _ in range(3):
            module(split(TRAIN, seed).inputs.tensor)
        modules.append(module.eval())
    with torch.no_grad():
        modules[1][0].weight.view(-1)[:zeros] = 0
    model, train, test = Model(network_of(cls)), split(TRAIN, 7), split(TEST, 8)
    problem = Problem(model, train, train, train.at(torch.arange(0)), test, cross_entropy, (), CLASSES)
    return modules, [State(problem, weights_from(model, module.state_dict())) for module in modules]


def at(modules, share):
    """The tensors between two modules, in float64."""
    one, other = (module.state_dict() for module in modules)
    return {
        name: (1 - share) * leaf.double() + share * other[name].double() if leaf.is_floating_point() else leaf
        for name, leaf in one.items()
    }


def losses_and_errors(module, tensors, examples):
    x, y = examples.inputs.tensor.double(), examples.y
    outputs = torch.stack(
        [functional_call(copy.deepcopy(module).double().eval(), tensors, (row[None],))[0] for row in x]
    )
    return F.cross_entropy(outputs, y, reduction="none").numpy(), (outputs.argmax(1) != y).double().numpy()


def loss_and_error(module, tensors, examples):
    return tuple(values.mean() for values in losses_and_errors(module, tensors, examples))


@pytest.mark.parametrize("cls", [Plain, Normed])
def test_the_line_between_two_states_and_the_height_of_its_barrier(cls):
    modules, (first, second) = states(cls)
    values = Barrier(points=5, batches=2, batch=16, errors=True).compare(first, second)
    grid = [0, 0.25, 0.5, 0.75, 1]
    every = [losses_and_errors(modules[0], at(modules, share), first.problem.test) for share in grid]
    seen = [tuple(values.mean() for values in pair) for pair in every]
    assert values["t"].tolist() == grid
    for place, name in enumerate(("loss", "error")):
        profile = [pair[place] for pair in seen]
        assert values[name].tolist() == pytest.approx(profile, abs=1e-5)
        line = [(1 - t) * profile[0] + t * profile[-1] for t in grid]
        assert float(values[f"{name}_barrier"]) == pytest.approx(
            max(a - b for a, b in zip(profile, line, strict=True)), abs=1e-5
        )
        highest = int(np.argmax(np.subtract(profile, line)))
        t, ends = grid[highest], (every[0][place], every[-1][place])
        rise = every[highest][place] - (1 - t) * ends[0] - t * ends[1]
        error = np.sqrt(rise.var(ddof=1) / len(rise))
        assert float(values[f"{name}_barrier_se"]) == pytest.approx(error, abs=1e-6)
    assert ("recalibrated_loss" in values) == (cls is Normed)


def test_statistics_are_estimated_anew_at_every_point_from_training_examples():
    modules, (first, second) = states(Normed)
    values = Barrier(points=3, batches=1, batch=TRAIN).compare(first, second)
    x = first.problem.train.inputs.tensor.double()
    for place, share in enumerate((0, 0.5, 1)):
        tensors = at(modules, share)
        hidden = x @ tensors["0.weight"].T + tensors["0.bias"]
        tensors |= {"1.running_mean": hidden.mean(0), "1.running_var": hidden.var(0, unbiased=True)}
        loss, error = loss_and_error(modules[0], tensors, first.problem.test)
        assert float(values["recalibrated_loss"][place]) == pytest.approx(loss, abs=1e-4)
        assert float(values["recalibrated_error"][place]) == pytest.approx(error, abs=1e-6)
    assert "recalibrated_loss" not in Barrier(points=3, batches=0).compare(first, second)


def test_spectral_normalization_divides_by_the_norm_of_the_weight_that_is_there():
    """Singular vectors of another weight, or averages of two networks' own, whose signs are arbitrary, give no norm."""
    pair, name = [], "0.parametrizations.weight.original"
    for seed in (0, 1):
        torch.manual_seed(seed)
        pair.append(Spectral())
    model, train, test = Model(network_of(Spectral)), split(TRAIN, 7), split(TEST, 8)
    problem = Problem(model, train, train, train.at(torch.arange(0)), test, cross_entropy, (), CLASSES)
    first, second = (State(problem, weights_from(model, module.state_dict())) for module in pair)

    def loss(share, weight_share):
        tensors = at(pair, share)
        weight = at(pair, weight_share)[name]
        hidden = test.inputs.tensor.double() @ (weight / torch.linalg.svdvals(weight)[0]).T + tensors["0.bias"]
        return float(F.cross_entropy(hidden.relu() @ tensors["2.weight"].T + tensors["2.bias"], test.y))

    profile = Barrier(points=3).compare(first, second)["loss"]
    assert profile.tolist() == pytest.approx([loss(t, t) for t in (0, 0.5, 1)], abs=1e-4)
    exchanged = LayerSensitivity(examples=TEST).compare(first, second)[f"exchanged_loss of {name}"]
    assert float(exchanged) == pytest.approx(loss(0, 1) - loss(0, 0), abs=1e-4)
    turned = {leaf: -value if leaf.endswith(("_u", "_v")) else value for leaf, value in first.weights.buffers.items()}
    same = State(problem, first.weights.replace(buffers=turned))
    assert float(Barrier(points=3).compare(first, same)["loss_barrier"]) == pytest.approx(0, abs=1e-4)


def test_every_comparison_leaves_both_states_alone_and_says_the_same_each_time(leaves):
    settings = {
        Barrier: Barrier(points=3, errors=True),
        LayerDistance: LayerDistance(),
        LayerSensitivity: LayerSensitivity(examples=10),
    }
    assert leaves(Comparison) == settings.keys()
    _, pair = states(Normed)
    before = copy.deepcopy([state.weights for state in pair])
    for comparison in settings.values():
        drawn = torch.get_rng_state()
        one, other = comparison.compare(*pair), comparison.compare(*pair)
        assert torch.equal(torch.get_rng_state(), drawn)
        assert tree.equal(one, other) and all(value.dtype == torch.float64 for value in one.values())
    for state, weights in zip(pair, before, strict=True):
        assert all(tree.equal(getattr(state.weights, part), getattr(weights, part)) for part in vars(weights))


def test_there_is_no_barrier_between_a_state_and_itself():
    _, (first, _) = states(Normed)
    values = Barrier(points=4).compare(first, first)
    assert all(float(values[name]) == pytest.approx(0, abs=1e-9) for name in values if name.endswith("barrier"))


def test_distances_and_sparsities_of_layers_and_of_the_whole():
    modules, pair = states(Plain, zeros=7)
    values = {name: leaf.numpy() for name, leaf in LayerDistance().compare(*pair).items()}
    a, b = ([float(w) for w in module[0].weight.detach().double().flatten()] for module in modules)
    length = sum(w * w for w in a) ** 0.5
    assert by_layer(values, "distance")["0.weight"] == pytest.approx(
        sum((u - v) ** 2 for u, v in zip(a, b, strict=True)) ** 0.5
    )
    assert by_layer(values, "removed")["0.weight"] == pytest.approx(sum(w * w for w in a[:7]) ** 0.5 / length)
    moved = sum((u - v) ** 2 for u, v in zip(a[7:], b[7:], strict=True)) ** 0.5
    assert by_layer(values, "moved")["0.weight"] == pytest.approx(moved / length)
    cosine = sum(u * v for u, v in zip(a, b, strict=True)) / length / sum(w * w for w in b) ** 0.5
    assert by_layer(values, "cosine")["0.weight"] == pytest.approx(cosine)
    assert by_layer(values, "second_sparsity") == {"0.weight": pytest.approx(7 / 30), "2.weight": 0}
    assert float(values["second_sparsity"]) == pytest.approx(7 / 48)
    one, other = (module.state_dict() for module in modules)
    squares = [float((one[name] - other[name]).double().square().sum()) for name in ("0.weight", "2.weight")]
    whole = sum(squares)
    assert float(values["distance"]) == pytest.approx(whole**0.5)


def test_sensitivity_prunes_one_layer_as_it_is_pruned_and_changes_no_other():
    modules, (first, second) = states(Normed, zeros=9)
    values = LayerSensitivity(examples=20).compare(first, second)
    few = first.problem.test.at(torch.arange(20))
    few = Split(InMemory(few.inputs.tensor[:20]), few.index, few.y, few.clean)
    dense = {name: leaf.double() for name, leaf in modules[0].state_dict().items()}
    before = loss_and_error(modules[0], dense, few)
    gone = modules[1].state_dict()["0.weight"] == 0
    variants = {
        "removed": dense["0.weight"].masked_fill(gone, 0),
        "exchanged": modules[1].state_dict()["0.weight"].double(),
    }
    for kind, leaf in variants.items():
        after = loss_and_error(modules[0], {**dense, "0.weight": leaf}, few)
        assert float(values[f"{kind}_loss of 0.weight"]) == pytest.approx(after[0] - before[0], abs=1e-5)
        assert float(values[f"{kind}_error of 0.weight"]) == pytest.approx(after[1] - before[1], abs=1e-9)
        assert float(values[f"{kind}_loss_se of 0.weight"]) > 0


def test_a_layer_that_is_equal_in_both_is_not_measured():
    _, (first, second) = states(Plain)
    params = {**second.weights.params, "0.weight": first.weights.params["0.weight"]}
    alike = State(second.problem, Weights(params, second.weights.buffers, first.weights.masks))
    assert by_layer(LayerSensitivity().compare(first, alike), "removed_loss").keys() == {"2.weight"}


def test_splits_of_other_examples_or_labels_are_refused():
    _, (first, second) = states(Plain)
    flipped = copy.copy(second.problem.test)
    flipped = Split(flipped.inputs, flipped.index, flipped.y.roll(1), flipped.clean)
    other = State(Problem(**{**vars(second.problem), "test": flipped}), second.weights)
    with pytest.raises(UsageError, match="have other examples or labels"):
        same_examples(first, other, "test")
