"""Every kind of target by gradient descent, loss and error in plain numpy, float64."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.targets import Binary, Classes, MultiLabel, Regression, Sequence
from prunescope.tasks.task import Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

N, FEATURES, LR, STEPS = 60, 4, 0.5, 30


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def of_classes(z, y):
    """Loss [N], error [N], and the gradient of the summed loss in z."""
    p, hot = softmax(z), np.eye(z.shape[-1])[y]
    return -np.log((p * hot).sum(-1)), (z.argmax(-1) != y).astype(float), p - hot


def of_bits(z, y):
    y = y.reshape(z.shape)
    loss = -(y * np.log(sigmoid(z)) + (1 - y) * np.log(sigmoid(-z)))
    return loss.mean(1), ((z > 0) != y).mean(1), (sigmoid(z) - y) / z.shape[1]


def of_numbers(z, y):
    y = y.reshape(z.shape)
    return ((z - y) ** 2).mean(1), np.abs(z - y).mean(1), 2 * (z - y) / z.shape[1]


def of_tokens(z, y):
    loss, error, slope = of_classes(z, np.maximum(y, 0))
    counts = (y != -100).astype(float)
    share = counts / counts.sum(1, keepdims=True)
    return (loss * share).sum(1), (error * share).sum(1), slope * share[..., None]


class Pixels(nn.Module):
    """One linear map at every pixel, classes second."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(FEATURES, 3)

    def forward(self, x):
        return self.map(x).movedim(-1, 1)


class Flat(nn.Module):
    """One number an example, without a dimension for it."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(FEATURES, 1)

    def forward(self, x):
        return self.map(x)[:, 0]


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def case(name):
    x = numbers(N, 5, FEATURES) if name in ("tokens", "pixels") else numbers(N, FEATURES)
    truth = x @ numbers(FEATURES, 3, seed=1) + 0.7 * numbers(*x.shape[:-1], 3, seed=2)
    y = truth.argmax(-1)
    if name in ("tokens", "pixels"):
        y[:, 1] = -100
        y[::2, 3] = -100
    ys = {
        "bits": (truth > 0).long(),
        "number": truth[:, 0],
        "numbers": truth,
        "bit": (y == 1).float()[:, None],
    }
    net, target, reference = {
        "classes": (lambda: nn.Linear(FEATURES, 3), Classes(), of_classes),
        "bit": (lambda: nn.Linear(FEATURES, 1), Binary(), of_bits),
        "flat bit": (Flat, Binary(), of_bits),
        "bits": (lambda: nn.Linear(FEATURES, 3), MultiLabel(), of_bits),
        "number": (lambda: nn.Linear(FEATURES, 1), Regression(), of_numbers),
        "numbers": (lambda: nn.Linear(FEATURES, 3), Regression(), of_numbers),
        "tokens": (lambda: nn.Linear(FEATURES, 3), Sequence(), of_tokens),
        "pixels": (Pixels, Sequence(classes_at="second"), of_tokens),
    }[name]
    y = ys.get(name.removeprefix("flat "), y)
    return SimpleNamespace(x=x, y=y, net=net, target=target, reference=reference)


def recipe_of(made, **more):
    task = Task.from_module(made.net, train=(made.x, made.y), test=(made.x[:20], made.y[:20]), target=made.target)
    fixed = {"optimizer": SGD(), "schedule": Constant(lr=LR), "batch": N, "length": f"{STEPS}it"}
    return Recipe(**(fixed | {"task": task} | more))


def trained(made, weight, bias, steps=STEPS, importance=None):
    """Weight and bias after full-batch gradient descent, each example's loss times its importance [N]."""
    x, y, weight, bias = made.x.double().numpy(), made.y.numpy(), weight.T.astype(float), bias.astype(float)
    for _ in range(steps):
        slope = made.reference(x @ weight + bias, y)[2] / N
        if importance is not None:
            slope = slope * importance.reshape(-1, *[1] * (slope.ndim - 1))
        flat = slope.reshape(-1, slope.shape[-1])
        weight, bias = weight - LR * x.reshape(-1, FEATURES).T @ flat, bias - LR * flat.sum(0)
    return weight, bias


NAMES = ["classes", "bit", "flat bit", "bits", "number", "numbers", "tokens", "pixels"]


def run_start(made):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return list(made.net().parameters())
