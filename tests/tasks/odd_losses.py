"""Losses that fit, nearly fit, or seem to: what `inspect_problem` is shown."""

import torch
from torch import nn
from torch.nn import functional as F


def mean_loss(logits, y):
    return F.cross_entropy(logits, y)


def renaming_loss(logits, y):
    y[y == 2] = 1
    return F.cross_entropy(logits, y, reduction="none")


def centred_loss(logits, y):
    losses = F.cross_entropy(logits, y, reduction="none")
    return losses - losses.mean()


def hardest_half(logits, y):
    losses = F.cross_entropy(logits, y, reduction="none")
    return losses * (losses >= losses.median())


def brier_of_the_classes_of_a_batch(logits, y):
    return (logits.softmax(1) - F.one_hot(y)).square().sum(1)


def scaled_loss(logits, y):
    return F.cross_entropy(logits * SCALE, y, reduction="none")


SCALE = nn.Parameter(torch.ones(()))


def broken_loss(logits, y):
    return F.cross_entropy(logits, y, reduction="no such thing")
