"""A dozen examples, and a data set of them that a test may break."""

import torch
from torch.utils.data import Dataset

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3


class Pairs(Dataset):
    def __init__(self, x=X, y=Y, broken=None):
        self.x, self.y, self.broken = x, y, broken

    def __len__(self):
        return len(self.x)

    def __getitem__(self, place):
        if place == self.broken:
            raise KeyError("no such file")
        return self.x[place], int(self.y[place])
