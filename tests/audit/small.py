"""Two layers and examples for them; imported by tests."""

import torch
from torch import nn


def net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))


def data(seed: int, count: int = 60):
    x = torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))
    return x, torch.arange(count) % 3
