"""States to measure, and their Hessians entry by entry in float64, by code of PyTorch's own."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.func import functional_call

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network, network_of
from prunescope.tasks.task import Data, Task

SHAPE = (3, 4, 4)
sys.path.append(str(Path(__file__).parent))  # for `kinds` and `curved`


@pytest.fixture(scope="session")
def state():
    """A function: a network (path and arguments, or a user's module) to a problem and a pruned state of it."""

    def make(path="prunescope.tasks.nets:CifarResNet", *, prune=True, loss=None, shape=SHAPE, classes=3, **args):
        named = network(path, classes=classes, **args) if isinstance(path, str) else network_of(path)
        source = synthetic(classes=classes, shape=shape, train=32, test=24, separation=2.0)
        extra = {"loss": loss} if loss else {}
        task = Task(network=named, data=Data(source=source), **extra)
        problem = task.load(Seeds(), source.load())
        params, buffers = problem.model.init(0)
        x, _ = problem.train.batch(torch.arange(32))
        _, buffers = problem.model.apply(params, buffers, x, train=True)
        masks = {n: params[n] > (-0.05 if prune else -1e9) for n in params if n in problem.model.maskable}
        return problem, Weights(tree.masked(params, masks), buffers, masks)

    return make


@pytest.fixture(scope="session")
def dense():
    """A function: problem, state, number of test examples to the loss, and functions that give its
    Hessian, Gauss-Newton matrix and gradients of single examples over all weights.

    Rows and columns of removed weights are 0, as if the masks were multiplied in.
    """

    def make(problem, weights, examples, *, train=False):
        module = problem.model.network.build().double().train(train)
        x, y = problem.test.batch(torch.arange(examples))
        x, names = x.double(), list(weights.params)
        shapes = {name: leaf.shape for name, leaf in weights.params.items()}
        sizes = [leaf.numel() for leaf in weights.params.values()]
        ones = {n: torch.ones(s, dtype=torch.float64) for n, s in shapes.items()}
        keep = torch.cat([(ones[n] * weights.masks.get(n, 1)).flatten() for n in names])
        buffers = {n: b.double() if b.is_floating_point() else b.clone() for n, b in weights.buffers.items()}
        flat = torch.cat([leaf.double().flatten() for leaf in weights.params.values()])

        def logits(vector):
            parts = (vector * keep).split(sizes)
            params = {n: part.view(shapes[n]) for n, part in zip(names, parts, strict=True)}
            return functional_call(module, {**params, **{n: b.clone() for n, b in buffers.items()}}, (x,))

        def loss(vector):
            return problem.loss(logits(vector), y).mean()

        def bend(scores, label):
            return torch.autograd.functional.hessian(
                lambda z: problem.loss(z.unsqueeze(0), label.unsqueeze(0)).squeeze(), scores
            )

        def gauss_newton():
            jacobian = torch.autograd.functional.jacobian(logits, flat, vectorize=True)
            rows = zip(jacobian, logits(flat).detach(), y, strict=True)
            return sum(j.T @ bend(z, label) @ j for j, z, label in rows) / len(y)

        def hessian():
            return torch.func.jacrev(torch.func.grad(loss), chunk_size=256)(flat).detach()

        def slopes():
            return torch.autograd.functional.jacobian(lambda v: problem.loss(logits(v), y), flat, vectorize=True)

        return SimpleNamespace(
            hessian=hessian,
            gauss_newton=gauss_newton,
            slopes=slopes,
            loss=loss,
            flat=flat,
            keep=keep.bool(),
            names=[n for n, size in zip(names, sizes, strict=True) for _ in range(size)],
        )

    return make
