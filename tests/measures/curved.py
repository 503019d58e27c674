"""Networks with and without the condition under which the exact trace is the Hessian's."""

import torch.nn.functional as F
from torch import nn

SQUARED = "prunescope.tasks.losses:squared_error"


class Plain(nn.Module):
    """Two linear layers, some activation between them; with `twice` the middle layer runs twice."""

    def __init__(self, activation=F.relu, twice=False, tokens=False):
        super().__init__()
        self.activation, self.twice, self.tokens = activation, twice, tokens
        self.first, self.middle, self.last = (
            nn.Linear(8 if tokens else 48, 6),
            nn.Linear(6, 6),
            nn.Linear(6, 3),
        )

    def forward(self, x):
        x = self.first(x.reshape(len(x), -1, 8) if self.tokens else x.flatten(1))
        x = self.middle(self.activation(x))
        x = self.middle(self.activation(x)) if self.twice else x
        x = self.last(self.activation(x))
        return x.mean(1) if self.tokens else x


class Odd(nn.Module):
    """Convolutions with groups and with circular padding; a normalization by groups."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, groups=3, padding=1)
        self.conv2 = nn.Conv2d(6, 4, 3, padding=1, padding_mode="circular", bias=False)
        self.norm = nn.GroupNorm(2, 4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(F.relu(self.norm(self.conv2(self.conv1(x).relu_()))).mean((2, 3)))


def inplace():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


RESNET = {"depth": 8, "width": 1}
ZERO_PAD = {"depth": 8, "width": 1, "shortcut": "zero_pad"}
CONDITION_HOLDS = {
    "residual": RESNET,
    "zero pad": ZERO_PAD,
    "dense": {"path": inplace, "prune": False},
    "squared error": {"path": inplace, "loss": SQUARED},
    "linear": {"path": "prunescope.tasks.nets:LeNet", "hidden": (7, 5), "inputs": 48},
    "in place": {"path": inplace},
    "functional": {"path": Plain},
    "tokens": {"path": lambda: Plain(tokens=True)},
}
