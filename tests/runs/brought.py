"""Networks that somebody brings, and a run of them."""

import torch
from torch import nn

from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.task import Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant


def data(count=48, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 3
    return torch.randn(count, 4, 6, generator=generator) + y[:, None, None], y


def recipe_of(factory, **more):
    task = Task.from_module(factory, train=data(), test=data(24, 1), **more)
    return Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=16, length="2ep")


class Linear(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 3))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.r, self.o = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.o(self.r(x)[0][:, -1])


class HalfFrozen(Linear):
    def __init__(self):
        super().__init__()
        self[1].requires_grad_(False)
