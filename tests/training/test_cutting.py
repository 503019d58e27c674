"""Networks without the units that are gone train as the whole ones do."""

from dataclasses import replace

import pytest
import torch
from test_interventions import assert_same
from test_lean import assert_close, with_kernels
from torch import nn
from unit_lab import ARRAYS, SOURCE, begin, filters, layer, problem, program

from pretended import pretending
from prunescope.base.streams import Seeds
from prunescope.runs.machine.devices import progress_on
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.tasks import evaluation
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels import cutting
from prunescope.tasks.kernels.choice import Kernels
from prunescope.tasks.model import network, network_of
from prunescope.tasks.task import Data, Task
from prunescope.training.engines import lean
from prunescope.training.engines.lean import Lean
from prunescope.training.engines.loop import Loop
from prunescope.training.interventions import PruneUnits
from prunescope.training.optim import SGD, Adam, AdamW
from prunescope.training.run import train

RESIDUAL = problem("CifarResNet", depth=8, width=4)
WIDE = problem("CifarResNet", depth=8, width=6, shortcut="zero_pad", batchnorm="ones")
KERNELS = {
    "as they lie": Kernels(without_units=True, least=1),
    "channels last": Kernels(without_units=True, channels_last=True, least=1),
}
OPTIMIZERS = [
    SGD(momentum=0.9, weight_decay=0.01),
    SGD(momentum=0.9, nesterov=True),
    Adam(weight_decay=0.01),
    AdamW(),
]
INNER = tuple(f"layer{stage}.0.conv1" for stage in (1, 2, 3))


class Drops(nn.Sequential):
    """Dropout behind the units: without them it would draw other numbers."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 6, 3, bias=False),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(6, 4, 3),
            nn.Flatten(),
            nn.Linear(64, 3),
        )


class WithBias(nn.Sequential):
    """Convolutions with biases, without BatchNorm; the linear layer reads every channel in several places."""

    def __init__(self):
        super().__init__(
            *(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(16, 3)),
        )


def own(kind):
    return Task(network=network_of(kind), data=Data(source=SOURCE)).load(Seeds(), ARRAYS)


@pytest.fixture
def shapes(monkeypatch):
    """The shapes of convolutions' weights in the networks that are made."""
    seen = []
    original = cutting.without_units

    def watched(network, problem, weights, movable, split):
        made = original(network, problem, weights, movable, split)
        packed = made.pack(weights.params)
        seen.append({name: tuple(leaf.shape) for name, leaf in packed.items() if leaf.ndim > 1})
        return made

    monkeypatch.setattr(lean, "without_units", watched)
    return seen


def both(plan, begun, kernels):
    return [
        train(with_kernels(plan, k), begun, engine=e) for e, k in ((Loop(), Kernels()), (Lean(), kernels))
    ]


def without(begun, names, *, still=(), share=2):
    """The progress with the first units of layers gone; `still`: parameters of which the same rows are held at 0."""
    state = begun.state
    params, masks, held = dict(state.weights.params), dict(state.weights.masks), {}
    for name in (*names, *still):
        rows = torch.zeros(len(params[name]), dtype=torch.bool)
        rows[: max(1, len(rows) // share)] = True
        gone = rows.view(-1, *[1] * (params[name].ndim - 1)).expand(params[name].shape)
        params[name] = params[name].masked_fill(gone, 0.0)
        if name in masks:
            masks[name] = masks[name] & ~gone
        else:
            held[name] = gone.clone()
    return begun.replace(
        state=state.replace(weights=state.weights.replace(params=params, masks=masks), held=held)
    )


@pytest.mark.parametrize("kernels", KERNELS.values(), ids=list(KERNELS))
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
def test_pruned_filters_are_taken_out_while_it_trains(shapes, optimizer, kernels):
    prune = PruneUnits(layers=tuple(layer(name, fraction=0.5) for name in INNER), score=FilterNorm(order=1))
    plan = program(RESIDUAL, prune, optimizer=optimizer)
    assert_close(*both(plan, begin(plan), kernels), 2e-3)
    assert [shapes[-1][f"{name}.weight"][0] for name in INNER] == [2, 4, 8]
    assert shapes[-1]["layer3.0.conv2.weight"][:2] == (16, 8)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
@pytest.mark.parametrize("moments", [0.0, 0.01])
def test_units_that_nothing_reads_are_taken_out(shapes, optimizer, moments):
    """Their gamma and beta are free, and go on decaying; so do their moments and their statistics."""
    plan = program(RESIDUAL, optimizer=optimizer)
    begun = without(begin(plan), ["layer2.0.conv1.weight"])
    masks, params = dict(begun.state.weights.masks), dict(begun.state.weights.params)
    masks["layer2.0.conv2.weight"] = masks["layer2.0.conv2.weight"].clone()
    masks["layer2.0.conv2.weight"][:, :4] = False
    params["layer2.0.conv2.weight"] = params["layer2.0.conv2.weight"] * masks["layer2.0.conv2.weight"]
    opt = {
        part: {n: leaf + moments for n, leaf in leaves.items()} if part in optimizer.slots else leaves
        for part, leaves in begun.state.opt.items()
    }
    weights = begun.state.weights.replace(masks=masks, params=params)
    begun = begun.replace(state=begun.state.replace(weights=weights, opt=opt))
    loop, found = both(plan, begun, KERNELS["as they lie"])
    assert shapes[-1]["layer2.0.conv1.weight"] == (4, 4, 3, 3)
    assert shapes[-1]["layer2.0.conv2.weight"] == (8, 4, 3, 3)
    assert_close(loop, found, 2e-3)
    for name in ("layer2.0.bn1.running_mean", "layer2.0.bn1.running_var"):
        gone = slice(0, 4)
        torch.testing.assert_close(
            found.state.weights.buffers[name][gone],
            loop.state.weights.buffers[name][gone],
            rtol=1e-5,
            atol=1e-7,
        )


@pytest.mark.parametrize("kernels", KERNELS.values(), ids=list(KERNELS))
def test_in_bfloat16_they_go_and_lie_as_in_float32(shapes, monkeypatch, kernels):
    """What that changes of a step is less than what rounding to bfloat16 does, which is much."""
    seen, made = [], lean._made
    monkeypatch.setattr(lean, "_made", lambda *args: seen.append(made(*args)) or seen[-1])
    plan = program(RESIDUAL, optimizer=SGD(), steps=1)
    still = [f"layer2.0.bn1.{part}" for part in ("weight", "bias")]
    begun = without(begin(plan), ["layer2.0.conv1.weight"], still=still)
    low, found = both(replace(plan, precision="bfloat16"), begun, kernels)
    full, _ = both(plan, begun, kernels)
    assert shapes[0]["layer2.0.conv1.weight"] == (4, 4, 3, 3)
    assert (seen[0].format == torch.channels_last) == kernels.channels_last
    assert distance(found, low) < 0.5 * distance(low, full)


def distance(one, other):
    """Between the parameters of two states."""
    pairs = zip(*(end.state.weights.params.values() for end in (one, other)), strict=True)
    return sum(float((left - right).double().square().sum()) for left, right in pairs) ** 0.5


def test_a_dead_filter_whose_beta_is_free_stays(shapes):
    """It puts out a constant that the next layer reads."""
    plan = program(RESIDUAL)
    loop, found = both(plan, without(begin(plan), ["layer2.0.conv1.weight"]), KERNELS["as they lie"])
    assert shapes[-1]["layer2.0.conv1.weight"] == (8, 4, 3, 3)
    assert_close(loop, found)


@pytest.mark.parametrize("held", [True, False])
def test_biases_and_flattened_readers(shapes, held):
    plan = program(own(WithBias), optimizer=SGD(momentum=0.9, weight_decay=0.01))
    names, still = ["0.weight", "3.weight"], ["0.bias", "3.bias"] if held else []
    loop, found = both(plan, without(begin(plan), names, still=still), KERNELS["as they lie"])
    expected = {"0.weight": (3, 3, 3, 3), "3.weight": (2, 3, 2, 2), "6.weight": (3, 8)}
    whole = {"0.weight": (6, 3, 3, 3), "3.weight": (4, 6, 2, 2), "6.weight": (3, 16)}
    assert shapes[-1] == (expected if held else whole)
    assert_close(loop, found)


@pytest.mark.parametrize("last", [False, True])
def test_on_another_device_units_go_too_and_the_kernels_of_a_cpu_do_nothing(shapes, last):
    everything = Kernels(
        dense="onednn",
        sparse="torch",
        train_below=1.0,
        evaluate_below=1.0,
        least=1,
        by_hand=True,
        channels_last=last,
        without_units=True,
        fused=True,
        flushed=True,
    )
    plan = program(own(WithBias), optimizer=SGD(momentum=0.9, weight_decay=0.01), steps=3)
    begun = without(begin(plan), ["0.weight", "3.weight"], still=["0.bias", "3.bias"])
    with pretending() as device:
        kernels = everything.on(device)
        there = with_kernels(replace(plan, problem=plan.problem.to(device)), everything)
        moved = train(there, progress_on(begun, device), engine=Lean())
        tested = evaluation.logits(there.problem, moved.state.weights, there.problem.test)
    assert kernels == Kernels(least=1, channels_last=last, without_units=True)
    assert shapes[-1]["0.weight"] == (3, 3, 3, 3)
    here = train(with_kernels(plan, kernels), begun, engine=Lean())
    assert_same(progress_on(moved, "cpu"), here)
    expected = evaluation.logits(
        replace(plan.problem, kernels=kernels), here.state.weights, plan.problem.test
    )
    assert torch.equal(tested.cpu(), expected)


def test_a_layer_that_loses_every_unit_keeps_one(shapes):
    plan = program(own(WithBias))
    begun = without(begin(plan), ["0.weight"], still=["0.bias"], share=1)
    loop, found = both(plan, begun, KERNELS["as they lie"])
    assert shapes[-1]["0.weight"] == (1, 3, 3, 3)
    assert_close(loop, found)


def test_a_network_that_draws_for_every_unit_stays_whole(shapes):
    plan = program(own(Drops))
    loop, found = both(plan, without(begin(plan), ["0.weight"]), KERNELS["as they lie"])
    assert shapes[-1]["0.weight"] == (6, 3, 3, 3)
    assert_close(loop, found)


def test_the_stem_of_a_residual_network_is_read_by_a_sum_and_stays(shapes):
    still = ["bn1.weight", "bn1.bias", *(f"layer2.0.bn1.{part}" for part in ("weight", "bias"))]
    begun = without(begin(program(WIDE)), ["conv1.weight", "layer2.0.conv1.weight"], still=still)
    loop, found = both(program(WIDE), begun, KERNELS["as they lie"])
    assert shapes[-1]["conv1.weight"][0] == 6 and shapes[-1]["layer2.0.conv1.weight"][0] == 6
    assert_close(loop, found, 2e-3)


@pytest.mark.parametrize(
    ("name", "args", "size", "conv", "norm", "reader"),
    [
        ("VGG", {"scale": 0.1}, 32, "conv3", "bn3", "conv4"),
        ("ResNet18", {"width": 4}, 8, "layer2.0.conv1", "layer2.0.bn1", "layer2.0.conv2"),
        ("GatedResNet18", {"width": 4}, 8, "layer3.1.conv1", "layer3.1.bn1", "layer3.1.conv2"),
    ],
)
def test_other_architectures(shapes, name, args, size, conv, norm, reader):
    source = synthetic(classes=3, shape=(3, size, size), train=32, test=8)
    net = network(f"prunescope.tasks.nets:{name}", classes=3, **args)
    plan = program(Task(network=net, data=Data(source=source)).load(Seeds(), source.load()), steps=3)
    begun = begin(plan)
    still = {f"{conv}.bias", f"{norm}.weight", f"{norm}.bias"} & begun.state.weights.params.keys()
    begun = without(begun, [f"{conv}.weight"], still=still)
    whole = {layer: begun.state.weights.params[f"{layer}.weight"].shape for layer in (conv, reader)}
    loop, found = both(plan, begun, KERNELS["as they lie"])
    assert shapes[-1][f"{conv}.weight"][0] == whole[conv][0] - whole[conv][0] // 2
    assert shapes[-1][f"{reader}.weight"][1] == whole[reader][1] - whole[conv][0] // 2
    assert_close(loop, found, 2e-3)


def test_small_networks_are_left_alone(shapes):
    plan = program(RESIDUAL, optimizer=SGD())
    begun = without(begin(plan), [filters("layer2.0.conv1").weight], still=filters("layer2.0.conv1").others)
    both(plan, begun, Kernels(without_units=True))
    assert shapes == []
    both(plan, begun, KERNELS["as they lie"])
    assert shapes[-1]["layer2.0.conv1.weight"][0] == 4


@pytest.mark.parametrize("kernels", KERNELS.values(), ids=list(KERNELS))
def test_evaluation_takes_them_out_too(monkeypatch, kernels):
    """Nothing moves there, so a BatchNorm that is 0 is enough; one that is not puts out a constant that is read."""
    seen, original = [], cutting.without_units

    def watched(network, problem, weights, movable, split):
        made = original(network, problem, weights, movable, split)
        packed = made.pack(weights.params)
        seen.append({name: len(packed[f"{name}.conv1.weight"]) for name in ("layer2.0", "layer3.0")})
        return made

    monkeypatch.setattr(evaluation, "without_units", watched)
    still = ["layer3.0.bn1.weight", "layer3.0.bn1.bias"]
    names = ["layer2.0.conv1.weight", "layer3.0.conv1.weight"]
    weights = without(begin(program(RESIDUAL)), names, still=still).state.weights
    beta = torch.linspace(-1, 1, 8)
    weights = weights.replace(params=weights.params | {"layer2.0.bn1.bias": beta})
    whole = evaluation.logits(RESIDUAL, weights, RESIDUAL.test)
    assert seen == []
    cut = evaluation.logits(replace(RESIDUAL, kernels=kernels), weights, RESIDUAL.test)
    assert seen == [{"layer2.0": 8, "layer3.0": 8}]
    torch.testing.assert_close(cut, whole, rtol=1e-4, atol=1e-5)
