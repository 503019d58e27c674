"""Steps against plain PyTorch, and against gradients by hand."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call
from torch.nn.utils import prune

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds, derived, stream
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.loop import Batches, Program, Stepper, gradients
from prunescope.training.optim import SGD, Adam, AdamW
from prunescope.training.run import begin
from prunescope.training.schedules import Constant, Milestones
from prunescope.training.stopping import AtEnd

STEPS = 20
OPTIMIZERS = [
    pytest.param(SGD(), torch.optim.SGD, {}, id="sgd"),
    pytest.param(
        SGD(momentum=0.9, nesterov=True, weight_decay=0.01),
        torch.optim.SGD,
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        id="nesterov",
    ),
    pytest.param(Adam(weight_decay=0.01), torch.optim.Adam, {"weight_decay": 0.01}, id="adam"),
    pytest.param(AdamW(weight_decay=0.1), torch.optim.AdamW, {"weight_decay": 0.1}, id="adamw"),
]
DROPS = Milestones(lr=0.05, drops=("1ep", "15it"), factor=0.1)


def rate(step):
    return 0.05 * 0.1 ** ((step >= 7) + (step >= 15))


def plain_batches(problem, count, *, batch=8, seed=0, first=0):
    """The documented order: a permutation an epoch, keyed by seed and epoch; the last batch is smaller."""
    n = len(problem.train)
    per_epoch = -(-n // batch)
    for step in range(first, first + count):
        epoch, position = divmod(step, per_epoch)
        order = torch.randperm(n, generator=stream(seed, "order", epoch))
        yield problem.train.batch(order[position * batch : (position + 1) * batch])


def in_float64(weights):
    """BatchNorm counts its batches in whole numbers; everything else becomes float64."""
    buffers = {n: b.double() if b.is_floating_point() else b for n, b in weights.buffers.items()}
    return weights.replace(params={n: p.double() for n, p in weights.params.items()}, buffers=buffers)


def plain_training(lab, program, weights, make, options):
    """nn.Module, torch.optim and, where weights are removed, torch.nn.utils.prune."""
    module = program.problem.model.network.build().train().to(next(iter(weights.params.values())).dtype)
    with torch.no_grad():
        for name, leaf in module.named_parameters():
            leaf.copy_(weights.params[name])
    for name, mask in weights.masks.items():
        owner = module.get_submodule(name.removesuffix(".weight"))
        prune.custom_from_mask(owner, "weight", mask)
    optimizer = make(module.parameters(), lr=1.0, **options)
    losses = []
    for step, (x, y) in enumerate(plain_batches(program.problem, STEPS)):
        optimizer.param_groups[0]["lr"] = rate(step)
        optimizer.zero_grad()
        with torch.random.fork_rng():
            torch.manual_seed(derived(0, "forward", step))
            loss = F.cross_entropy(module(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for name in weights.masks:
        prune.remove(module.get_submodule(name.removesuffix(".weight")), "weight")
    return dict(module.named_parameters()), dict(module.named_buffers()), losses


@pytest.mark.parametrize("sparsity", [0.0, 0.4])
@pytest.mark.parametrize("which", ["lenet", "batchnorm"])
@pytest.mark.parametrize(("optimizer", "make", "options"), OPTIMIZERS)
def test_training_equals_a_plain_pytorch_loop(lab, which, optimizer, make, options, sparsity):
    program = lab.program(problem=lab.double(getattr(lab, which)), optimizer=optimizer, schedule=DROPS)
    weights = in_float64(lab.weights(program, sparsity=sparsity))
    state, stepper, losses = begin(program, weights, 0).state, Stepper(program), []
    for _ in range(STEPS):
        state, loss, _ = stepper.step(state)
        losses.append(loss.item())
    params, buffers, expected = plain_training(lab, program, weights, make, options)
    assert losses == pytest.approx(expected, rel=1e-10)
    for name, leaf in state.weights.params.items():
        torch.testing.assert_close(leaf, params[name].detach(), rtol=1e-9, atol=1e-9)
    for name, leaf in state.weights.buffers.items():
        torch.testing.assert_close(leaf, buffers[name], rtol=1e-9, atol=1e-9)
    assert state.step == state.schedule_step == STEPS


def test_dense_sgd_equals_the_plain_loop_bit_for_bit(lab):
    program = lab.program(optimizer=SGD(), schedule=DROPS)
    state, stepper = lab.begin(program).state, Stepper(program)
    for _ in range(STEPS):
        state, _, _ = stepper.step(state)
    params, _, _ = plain_training(lab, program, lab.weights(program), torch.optim.SGD, {"foreach": False})
    assert tree.equal(state.weights.params, {n: leaf.detach() for n, leaf in params.items()})


@pytest.mark.parametrize("which", ["lenet", "batchnorm"])
@pytest.mark.parametrize(("optimizer", "make", "options"), OPTIMIZERS)
def test_masked_and_held_weights_are_exactly_zero_after_every_step(lab, which, optimizer, make, options):
    program = lab.program(problem=getattr(lab, which), optimizer=optimizer)
    state, stepper = lab.begin(program).state, Stepper(program)
    for _ in range(3):  # moments that still point somewhere
        state, _, _ = stepper.step(state)
    masks = {name: torch.arange(m.numel()).view(m.shape) % 3 != 0 for name, m in state.weights.masks.items()}
    held = {name: torch.arange(m.numel()).view(m.shape) % 3 == 1 for name, m in masks.items()}
    state = state.replace(weights=state.weights.replace(masks=masks), held=held)
    params = tree.masked(state.weights.params, state.free)
    state = state.replace(weights=state.weights.replace(params=params))
    for _ in range(8):
        state, _, _ = stepper.step(state)
        for name, free in state.free.items():
            assert bool((state.weights.params[name][~free] == 0).all())
            assert bool((state.weights.params[name][free] != 0).any())


def test_a_step_leaves_its_state_alone(lab):
    program = lab.program(problem=lab.batchnorm)
    state, stepper = lab.begin(program, sparsity=0.3).state, Stepper(program)
    state, _, _ = stepper.step(state)
    parts = [state.weights.params, state.weights.buffers, state.weights.masks, state.opt["momentum"]]
    copies = [tree.clone(part) for part in parts]
    one, _, _ = stepper.step(state)
    same, _, _ = Stepper(program).step(state)
    assert all(tree.equal(part, copy) for part, copy in zip(parts, copies, strict=True))
    assert tree.equal(one.weights.params, same.weights.params)
    assert one.weights.masks is state.weights.masks


def test_gradients_equal_those_by_hand_in_float64():
    """Two linear layers: d loss / d W2 = (softmax - onehot)^T h / N, and so on backwards."""
    x = torch.randn(7, 5, generator=stream(0, "x"), dtype=torch.float64)
    y = torch.arange(7) % 3
    drawn = stream(0, "w")
    params = {
        name: torch.randn(shape, generator=drawn, dtype=torch.float64)
        for name, shape in {
            "fc1.weight": (4, 5),
            "fc1.bias": (4,),
            "fc.weight": (3, 4),
            "fc.bias": (3,),
        }.items()
    }
    pre = x @ params["fc1.weight"].T + params["fc1.bias"]
    hidden = pre.clamp(min=0)
    scores = hidden @ params["fc.weight"].T + params["fc.bias"]
    probability = scores.exp() / scores.exp().sum(1, keepdim=True)
    by_score = (probability - F.one_hot(y, 3)) / 7
    by_pre = (by_score @ params["fc.weight"]) * (pre > 0)
    expected = {
        "fc1.weight": by_pre.T @ x,
        "fc1.bias": by_pre.sum(0),
        "fc.weight": by_score.T @ hidden,
        "fc.bias": by_score.sum(0),
    }
    loss, grads = _gradients_of_lenet(params, x, y)
    assert float(loss) == pytest.approx(float(-probability[range(7), y].log().mean()), abs=1e-12)
    for name, grad in grads.items():
        torch.testing.assert_close(grad, expected[name], rtol=1e-12, atol=1e-14)


def _gradients_of_lenet(params, x, y):
    source = synthetic(classes=3, shape=(5,), train=7, test=3)
    net = network("prunescope.tasks.nets:LeNet", hidden=[4], inputs=5, classes=3)
    problem = Task(network=net, data=Data(source=source)).load(Seeds(), source.load())
    program = Program(problem, SGD(), Constant(lr=0.1), Clock(1, 1), 7, AtEnd(), Seeds())
    loss, grads, _, _ = gradients(program, Weights(params, {}, {}), x, y)
    return loss, grads


def test_a_parameter_that_the_loss_does_not_see_has_gradient_zero(lab):
    program = lab.program()
    x, y = Stepper(program).batch(0)
    weights = lab.weights(program)
    weights = weights.replace(params={**weights.params, "unused": torch.ones(3)})
    _, grads, _, _ = gradients(program, weights, x, y)
    assert grads["unused"].tolist() == [0, 0, 0] and bool(grads["fc.weight"].any())


def test_bfloat16_rounds_the_products_and_keeps_float32_weights(lab):
    program = lab.program(precision="bfloat16")
    x, y = Stepper(program).batch(0)
    weights = lab.weights(program)
    loss, grads, _, _ = gradients(program, weights, x, y)
    exact, reference, _, _ = gradients(lab.program(), weights, x, y)
    assert loss.dtype == torch.float32 and {g.dtype for g in grads.values()} == {torch.float32}
    assert float(loss) != float(exact) and float(loss) == pytest.approx(float(exact), rel=0.05)
    assert float(tree.norm(grads)) == pytest.approx(float(tree.norm(reference)), rel=0.05)


# -- batches


def test_an_epoch_sees_every_example_once_in_an_order_of_its_own(lab):
    train = lab.lenet.train
    batches = Batches(train, 8, Seeds(order=4))
    assert batches.epoch_steps == 7
    epochs = [[batches.at(step) for step in range(7 * e, 7 * e + 7)] for e in range(3)]
    assert [len(y) for _, y in epochs[0]] == [8] * 6 + [2]
    images = [torch.cat([x for x, _ in epoch]).flatten(1) for epoch in epochs]
    whole, _ = train.batch(torch.arange(50))
    for image in images:
        rows = (image[:, None] == whole.flatten(1)[None]).all(2).nonzero()[:, 1]
        assert sorted(rows.tolist()) == list(range(50))
    assert all(not torch.equal(a, b) for a, b in pairwise(images))


def test_batches_depend_on_the_step_and_seed_and_not_on_the_past(lab):
    batches = Batches(lab.lenet.train, 8, Seeds(order=1))
    x, y = batches.at(23)
    for step in (0, 9, 3, 40):
        batches.at(step)
    assert torch.equal(batches.at(23)[0], x) and torch.equal(batches.at(23)[1], y)
    (expected, labels), *_ = plain_batches(lab.lenet, 1, seed=1, first=23)
    assert torch.equal(x, expected) and torch.equal(y, labels)
    assert not torch.equal(Batches(lab.lenet.train, 8, Seeds(order=2)).at(23)[0], x)


@pytest.mark.parametrize("batch", [50, 64])
def test_a_batch_as_large_as_the_split_is_the_split_in_order(lab, batch):
    batches = Batches(lab.lenet.train, batch, Seeds())
    x, y = batches.at(5)
    whole = lab.lenet.train.batch(torch.arange(50))
    assert batches.epoch_steps == 1
    assert torch.equal(x, whole[0]) and torch.equal(y, whole[1]) and torch.equal(batches.at(6)[0], x)


def test_augmentation_is_decided_by_the_step(lab):
    twice = (CropFlip(pad=1, fill=(0.0,)), CropFlip(pad=1, fill=(0.0,)))
    problem = lab.problem(lab.lenet.model.network, augmentation=twice)
    stepper = Stepper(lab.program(problem=problem))
    x, y = stepper.batch(11)
    stepper.batch(3)
    again, labels = Stepper(lab.program(problem=problem)).batch(11)
    plain, same = Stepper(lab.program()).batch(11)
    assert torch.equal(x, again) and torch.equal(y, labels) and torch.equal(y, same)
    by_hand = plain
    for number, augmentation in enumerate(twice):
        by_hand = augmentation(by_hand, stream(0, "augmentation", number, 11))
    assert torch.equal(x, by_hand) and not torch.equal(x, plain)


def test_what_a_network_draws_is_keyed_by_the_step(lab):
    program = lab.program(problem=lab.batchnorm)
    state, stepper = lab.begin(program).state, Stepper(program)
    params, buffers = state.weights.params, state.weights.buffers
    x, y = stepper.batch(0)
    with torch.random.fork_rng():
        torch.manual_seed(derived(0, "forward", 0))
        module = program.problem.model.network.build().train()
        torch.manual_seed(derived(0, "forward", 0))
        logits = functional_call(module, {**params, **tree.clone(buffers)}, (x,))
    before = torch.get_rng_state()
    _, loss, _ = stepper.step(state)
    assert float(loss) == pytest.approx(float(F.cross_entropy(logits, y)), rel=1e-6)
    assert torch.equal(before, torch.get_rng_state())
    assert float(stepper.step(state.replace(step=7))[1]) != float(loss)
