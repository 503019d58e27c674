"""Question: what does an audit cost beside the forward passes that it cannot do without?"""

import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

import prunescope as ps
from benchmarks.laboratory import FULL, Laboratory
from benchmarks.result import Result
from prunescope.runs.machine.memory import watched
from prunescope.tasks.evaluation import BATCH

CURVATURE = 512
"""Examples on which weights are looked at."""


def auditing(lab: Laboratory) -> list[Result]:
    """A pair of ResNet-20 on 10,000 images of 32 by 32 pixels, everything but robustness.

    Seconds are those of the processor, of all threads, so that other programs do not count; pictures are random, and so
    are the weights, of which a half is removed. Bare: both networks called on slices of one tensor, in the faster of
    the two memory layouts. Memory: by how much a fresh process grows while it audits a small network on 50,000 images
    that it holds already.
    """
    count, many = (10_000, 50_000) if lab.scale is FULL else (300, 600)
    x, y = pictures(count)
    nets = [resnet(seed) for seed in (0, 1)]
    bare = min(
        passes(nets, x.contiguous(memory_format=layout)) for layout in (torch.contiguous_format, torch.channels_last)
    )
    seconds = {why: audited(nets, x, y, why) for why in (0, CURVATURE if lab.scale is FULL else 16)}
    plain, curved = seconds.values()
    return [
        Result("two bare forward passes, the faster layout", np.array([bare]), "s of processor"),
        Result("the audit of the pair", np.array([plain]), "s of processor", high=120),
        Result("the audit : two bare passes", np.array([plain / bare]), "times", high=1.3),
        Result(f"with curvature on {CURVATURE} images : without", np.array([curved / plain]), "times", high=2),
        Result(f"memory, {many:,} images", np.array([grown(many)]), "MB", high=2048),
    ]


def pictures(count: int) -> tuple[Tensor, Tensor]:
    """Random pictures and labels."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, 32, 32, generator=generator), torch.arange(count) % 10


def resnet(seed: int) -> nn.Module:
    """ResNet-20; of every one but the first half of the weights is 0."""
    torch.manual_seed(seed)
    net = ps.network("prunescope.tasks.nets:CifarResNet", depth=20).build().eval()
    for part in net.modules() if seed else ():
        if isinstance(part, nn.Conv2d):
            part.weight.data *= part.weight.data.abs() > part.weight.data.abs().median()
    return net


@torch.no_grad()
def passes(nets: list[nn.Module], x: Tensor) -> float:
    """Seconds that the networks take for all pictures."""
    began = time.process_time()
    for net in nets:
        for start in range(0, len(x), BATCH):
            net(x[start : start + BATCH])
    return time.process_time() - began


def audited(nets: list[nn.Module], x: Tensor, y: Tensor, why: int) -> float:
    """Seconds that the audit of two networks takes, on an empty store, to the written report."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, PRUNESCOPE_DATA=folder):
        began = time.process_time()
        ps.audit(*nets, test=(x, y), store=Path(folder) / "store", why=why).write(Path(folder) / "report")
        return time.process_time() - began


class Small(nn.Module):
    """A network that costs next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 8, 3, stride=4), nn.Linear(8 * 64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.out(self.conv(x).relu().flatten(1))
        return logits


def grown(count: int) -> float:
    """Megabytes by which a fresh process grows while it audits on so many images."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_grown, args=(theirs, count), daemon=True)
    process.start()
    theirs.close()
    megabytes = float(ours.recv())
    process.join()
    return megabytes


def _grown(pipe: Connection, count: int) -> None:
    x, y = pictures(count)
    with watched("cpu") as peak:
        audited([Small(), Small()], x, y, 0)
    pipe.send(peak() / 2**20)
