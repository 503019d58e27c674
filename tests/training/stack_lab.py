"""What tests of stacks share: networks that are stacked in different ways, and members against each alone."""

import torch
from test_interventions import tensors
from torch import nn

from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.stack import Stack
from prunescope.training.run import Member, train, train_together

SPARSE = Kernels(sparse="numba", train_below=1.0, least=1)


class Odd(nn.Module):
    """Counts axes from the front, so it cannot be called on a stack as it is."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3)).flatten(1))


class Dropping(nn.Module):
    """The layers of the laboratory's network, called so that a stack can call them too."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.act = (
            nn.Conv2d(1, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
        )
        self.drop, self.again, self.fc = nn.Dropout(0.2), nn.Dropout(0.1), nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.again(self.drop(self.act(self.bn(self.conv(x))).mean((-2, -1)))))


class Drawing(nn.Module):
    """Draws by itself, so that no stack gives what it gives alone."""

    def __init__(self, noise=0.1):
        super().__init__()
        self.fc, self.noise = nn.Linear(16, 3), noise

    def forward(self, x):
        return self.fc(x.flatten(-3) + self.noise * torch.randn_like(x.flatten(-3)))


class Counting(nn.Module):
    """Counts the examples along the first axis, which are members in a stack."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 3)

    def forward(self, x):
        return self.fc(x.flatten(-3) * (2 if len(x) > 4 else 1))


class DrawingUnseen(Drawing):
    """What it draws, its outputs do not show, as where a layer is seldom left out."""

    def __init__(self):
        super().__init__(noise=1e-9)


class FromZero(nn.Module):
    """Counts axes from the front where no shape tells, behind a head that begins at 0."""

    def __init__(self):
        super().__init__()
        self.fc, self.head = nn.Linear(16, 8), nn.Linear(8, 3)
        for leaf in self.head.parameters():
            nn.init.zeros_(leaf)

    def forward(self, x):
        hidden = self.fc(x.flatten(-3))
        return self.head(hidden * hidden.softmax(1))


def assert_close(left, right, tolerance=1e-4):
    left, right = tensors(left), tensors(right)
    assert left.keys() == right.keys()
    for name, leaf in left.items():
        if leaf.is_floating_point():
            torch.testing.assert_close(right[name], leaf, rtol=tolerance, atol=tolerance, msg=name)
        else:
            assert torch.equal(right[name], leaf), name


def together(lab, programs, *, sparsities=None, size=8, probes=()):
    """The members' ends in one program."""
    sparsities = sparsities or [0.3] * len(programs)
    members = [
        Member(program, lab.begin(program, seed=k, sparsity=sparsity), probes=probes)
        for k, (program, sparsity) in enumerate(zip(programs, sparsities, strict=True))
    ]
    train_together(members, Stack(size=size))
    return members


def check(lab, programs, *, sparsities=None, probes=(), **options):
    sparsities = sparsities or [0.3] * len(programs)
    members = together(lab, programs, sparsities=sparsities, probes=probes, **options)
    for k, (member, program, sparsity) in enumerate(zip(members, programs, sparsities, strict=True)):
        assert member.failure is None and member.progress.finished
        alone = train(program, lab.begin(program, seed=k, sparsity=sparsity), engine=Loop(), probes=probes)
        assert_close(alone, member.progress)
        rows = [[(row["step"], row["phase"]) for row in rows] for rows in alone.traces.values()]
        assert rows == [[(row["step"], row["phase"]) for row in rows] for rows in member.progress.traces.values()]
    return members
