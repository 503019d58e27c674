"""A small task of a network, looked at; imported by tests."""

import torch

from prunescope.base.streams import Seeds
from prunescope.tasks.inspection import inspect_problem
from prunescope.tasks.task import Task
from prunescope.training.last_batch import check_last_batch


def data(count, seed=0, classes=3):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % classes
    return torch.randn(count, 8, generator=generator) + y[:, None], y


def inspected(factory, *, batch=16, train=96, classes=3, **more):
    task = Task.from_module(factory, train=data(train, classes=classes), test=data(20, 1, classes), **more)
    problem = task.load(Seeds(), task.data.source.load())
    inspection = inspect_problem(problem)
    check_last_batch(problem, batch=batch, drop_last=False)
    return inspection
