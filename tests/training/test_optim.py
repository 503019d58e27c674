import pytest
import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.base.tree import Tree, clone, equal, stack
from prunescope.training.optim import SGD, Adam, AdamW, Optimizer, OptState

STEPS = 25
SHAPES = {"a.weight": (3, 4), "a.bias": (3,), "b.weight": (2, 3)}

CASES = [
    pytest.param(SGD(), lambda p, lr: torch.optim.SGD(p, lr), id="sgd"),
    pytest.param(SGD(weight_decay=0.03), lambda p, lr: torch.optim.SGD(p, lr, weight_decay=0.03), id="sgd-decay"),
    pytest.param(SGD(momentum=0.9), lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9), id="sgd-momentum"),
    pytest.param(
        SGD(momentum=0.8, weight_decay=0.03),
        lambda p, lr: torch.optim.SGD(p, lr, momentum=0.8, weight_decay=0.03),
        id="sgd-momentum-decay",
    ),
    pytest.param(
        SGD(momentum=0.8, nesterov=True, weight_decay=0.03),
        lambda p, lr: torch.optim.SGD(p, lr, momentum=0.8, nesterov=True, weight_decay=0.03),
        id="sgd-nesterov",
    ),
    pytest.param(Adam(), lambda p, lr: torch.optim.Adam(p, lr), id="adam"),
    pytest.param(
        Adam(betas=(0.7, 0.95), eps=1e-4, weight_decay=0.03),
        lambda p, lr: torch.optim.Adam(p, lr, betas=(0.7, 0.95), eps=1e-4, weight_decay=0.03),
        id="adam-decay",
    ),
    pytest.param(AdamW(weight_decay=0.3), lambda p, lr: torch.optim.AdamW(p, lr, weight_decay=0.3), id="adamw"),
]


def draw(name: str, dtype: torch.dtype = torch.float64) -> Tree:
    generator = stream(0, name)
    return {n: torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for n, shape in SHAPES.items()}


def some_masks(dtype: torch.dtype = torch.float64) -> Tree:
    return {name: (leaf > 0).to(dtype) for name, leaf in draw("mask").items() if name.endswith("weight")}


def times(params: Tree, keep: Tree) -> Tree:
    return {name: leaf * keep[name] if name in keep else leaf for name, leaf in params.items()}


def loss(params: Tree) -> Tensor:
    """A loss whose gradient depends on all parameters and changes from step to step."""
    hidden = torch.tanh(params["a.weight"] @ torch.arange(1.0, 5.0, dtype=torch.float64) + params["a.bias"])
    return ((params["b.weight"] @ hidden - torch.tensor([3.0, -2.0], dtype=torch.float64)) ** 2).sum()


def gradient(params: Tree) -> Tree:
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in params.items()}
    return dict(zip(leaves, torch.autograd.grad(loss(leaves), list(leaves.values())), strict=True))


def rates() -> list[float]:
    return [0.02 if step < 15 else 0.004 for step in range(STEPS)]


def ours(optimizer: Optimizer, params: Tree, *, keep: Tree, as_tensor: bool = False) -> list[Tree]:
    opt, path = optimizer.init(params), []
    for rate in rates():
        lr: float | Tensor = torch.tensor(rate, dtype=torch.float64) if as_tensor else rate
        params, opt = optimizer.update(gradient(params), opt, params, keep=keep, lr=lr)
        path.append(params)
    return path


def reference(make, params: Tree, keep: Tree) -> list[Tree]:
    """torch's optimizer on unmasked parameters that are multiplied by the masks in the forward pass."""
    leaves = {name: leaf.clone().requires_grad_() for name, leaf in params.items()}
    optimizer, path = make(list(leaves.values()), rates()[0]), []
    for rate in rates():
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss(times(leaves, keep)).backward()
        optimizer.step()
        path.append(clone(times(leaves, keep)))
    return path


def assert_same_path(left: list[Tree], right: list[Tree]) -> None:
    for a, b in zip(left, right, strict=True):
        for name in SHAPES:
            torch.testing.assert_close(a[name], b[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize(("optimizer", "make"), CASES)
def test_agrees_with_torch_step_by_step(optimizer, make, as_tensor):
    params = draw("init")
    assert_same_path(ours(optimizer, params, keep={}, as_tensor=as_tensor), reference(make, params, {}))


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize(("optimizer", "make"), CASES)
def test_masked_training_agrees_with_weights_times_mask(optimizer, make, as_tensor):
    keep = some_masks()
    params = times(draw("init"), keep)
    path = ours(optimizer, params, keep=keep, as_tensor=as_tensor)
    assert_same_path(path, reference(make, params, keep))
    for point in path:
        for name, mask in keep.items():
            assert bool((point[name][mask == 0] == 0).all())
            assert bool((point[name][mask == 1] != 0).all())


@pytest.mark.parametrize(("optimizer", "make"), CASES)
def test_removed_weights_stay_zero_whatever_their_moments_hold(optimizer, make):
    params = draw("init", torch.float32)
    grads = draw("gradient", torch.float32)
    _, opt = optimizer.update(grads, optimizer.init(params), params, keep={}, lr=0.1)
    keep = some_masks(torch.float32)
    params = times(params, keep)
    for _ in range(3):
        params, opt = optimizer.update(grads, opt, params, keep=keep, lr=0.1)
        assert all(bool((params[name][mask == 0] == 0).all()) for name, mask in keep.items())


@pytest.mark.parametrize(("optimizer", "make"), CASES)
def test_changes_nothing_that_it_is_given(optimizer, make):
    params, grads, keep = draw("init"), draw("gradient"), some_masks()
    _, opt = optimizer.update(grads, optimizer.init(params), params, keep=keep, lr=0.1)
    given = [params, grads, keep, *opt.values()]
    copies = [clone(tree) for tree in given]
    moved, after = optimizer.update(grads, opt, params, keep=keep, lr=0.1)
    assert all(equal(tree, copy) for tree, copy in zip(given, copies, strict=True))
    before = {leaf.data_ptr() for tree in given for leaf in tree.values()}
    assert not any(leaf.data_ptr() in before for tree in [moved, *after.values()] for leaf in tree.values())


@pytest.mark.parametrize(("optimizer", "make"), CASES)
def test_state_keeps_its_layout_and_moments_are_shaped_like_parameters(optimizer, make):
    params = draw("init", torch.float32)
    opt = optimizer.init(params)
    _, after = optimizer.update(draw("gradient", torch.float32), opt, params, keep={}, lr=0.1)
    layout = [{n: {k: (v.shape, v.dtype) for k, v in tree.items()} for n, tree in s.items()} for s in (opt, after)]
    assert layout[0] == layout[1]
    for name, tree in opt.items():
        shaped = {key: leaf.shape for key, leaf in tree.items()} == {key: p.shape for key, p in params.items()}
        assert shaped == (name in optimizer.slots)


@pytest.mark.parametrize(("optimizer", "make"), CASES)
def test_members_of_a_stack_have_their_own_rates(optimizer, make):
    members = [draw("first"), draw("second")]
    grads = [draw("third"), draw("fourth")]
    keep, lrs = some_masks(), [0.1, 0.03]
    alone = []
    for params, grad, lr in zip(members, grads, lrs, strict=True):
        state = optimizer.init(params)
        for _ in range(2):
            params, state = optimizer.update(grad, state, params, keep=keep, lr=lr)
        alone.append(params)
    states = [optimizer.init(params) for params in members]
    state: OptState = {name: stack(s[name] for s in states) for name in states[0]}
    together = stack(members)
    for _ in range(2):
        together, state = optimizer.update(
            stack(grads), state, together, keep=stack([keep, keep]), lr=torch.tensor(lrs, dtype=torch.float64)
        )
    assert_same_path([{name: leaf[k] for name, leaf in together.items()} for k in range(len(alone))], alone)


@pytest.mark.parametrize(("optimizer", "make"), CASES)
def test_a_float64_rate_leaves_float32_parameters_float32(optimizer, make):
    params = draw("init", torch.float32)
    lr = torch.tensor(0.1, dtype=torch.float64)
    moved, opt = optimizer.update(params, optimizer.init(params), params, keep={}, lr=lr)
    assert {leaf.dtype for leaf in moved.values()} == {torch.float32}
    assert {opt[name][key].dtype for name in optimizer.slots if name in opt for key in params} <= {torch.float32}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SGD(momentum=1.0),
        lambda: SGD(momentum=-0.1),
        lambda: SGD(weight_decay=-1e-4),
        lambda: Adam(betas=(0.9, 1.0)),
        lambda: AdamW(eps=0.0),
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match="should be"):
        wrong()


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(UsageError, match="set momentum above 0"):
        SGD(nesterov=True)
