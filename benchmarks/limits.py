"""The limit of a device: the convolutions and products of a network, copying memory, and nothing else.

Belongs here: what no program for this network on this device can be faster than. Does not belong here: LeNet's products
on a CPU by the fastest of several means (`products.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.result import Numbers
from benchmarks.timing import interleaved
from prunescope.runs.machine import memory

COPIED = {"cpu": 2**24, "cuda": 2**30}
"""Bytes that are copied at a time: more than any cache holds."""


class Layers:
    """The convolutions and linear layers of a training step: forward, weight gradient, and input gradient but of the
    first layer. Random tensors in the shapes that they meet.

    members: replicas that take the step. Their products are separate ones in one call, as each has weights of its own;
    their convolutions are one call with one set of weights, which is no slower than any program of separate ones.
    layout: of images and filters in memory. slots: what the optimizer keeps for every weight. flops: of one call of
    `training`. bytes: what a step has to move at least: a layer's inputs, outputs and their gradients once whenever
    they are made or read, and every replica's weights (float32, with their slots) read once and written once.
    """

    def __init__(
        self,
        network: nn.Module,
        x: Tensor,
        *,
        layout: torch.memory_format = torch.contiguous_format,
        members: int = 1,
        slots: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """x: a batch of one replica, [N, ...], on the device; the network is called on it once."""
        self.members, self.places, self.layout, self.dtype = members, slots, layout, dtype
        self.calls: list[tuple[nn.Module, Tensor, Tensor, Tensor]] = []
        self.flops = self.bytes = 0
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.register_forward_hook(self._met)
        with torch.no_grad():
            network.to(x.device)(x)

    def _met(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        leaf = layer.weight
        assert isinstance(leaf, Tensor)
        separate = isinstance(layer, nn.Linear)
        x, y = (self._like(part, separate) for part in (inputs[0], output))
        weight = self._like(leaf, separate) if separate else leaf.detach().to(self.dtype)
        if weight.ndim == 4:
            weight = weight.contiguous(memory_format=self.layout)
        first = not self.calls
        self.calls.append((layer, x.requires_grad_(not first), weight.requires_grad_(), y))
        self.flops += (2 if first else 3) * 2 * y.numel() * leaf[0].numel()
        self.bytes += ((2 if first else 3) * x.numel() + 2 * y.numel()) * x.element_size()
        self.bytes += 2 * (1 + self.places) * self.members * leaf.numel() * leaf.element_size()

    def _like(self, part: Tensor, separate: bool) -> Tensor:
        """A random tensor of all replicas: with an axis of them, or with as many more examples."""
        several = (self.members,) if separate and self.members > 1 else ()
        shape = part.shape if separate else (self.members * len(part), *part.shape[1:])
        made = torch.randn((*several, *shape), device=part.device, dtype=self.dtype)
        return made.contiguous(memory_format=self.layout) if made.ndim == 4 else made

    def training(self) -> None:
        """All of them once."""
        for layer, x, weight, slope in self.calls:
            if isinstance(layer, nn.Conv2d):
                stride, padding = layer.stride, layer.padding
                out = F.conv2d(x, weight, None, stride, padding)
            else:
                out = torch.matmul(x, weight.mT)
            torch.autograd.grad(out, [weight, x] if x.requires_grad else [weight], slope)


@dataclass(frozen=True)
class Limit:
    """What a replica's step takes at least.

    layers: seconds of its convolutions and products, [rounds]; empty if they did not fit.
    copied: seconds in which the device copies the bytes that the step has to move, [rounds].
    flops, bytes: of the step.
    """

    layers: Numbers
    copied: Numbers
    flops: int
    bytes: int


def limit(
    build: Callable[[], nn.Module], x: Tensor, *, members: int, slots: int, dtype: torch.dtype, rounds: int
) -> Limit:
    """The limit of the device of x, a batch [N, ...], for as many members at a time as fill it, in the faster layout.

    By the fastest algorithms that the libraries find, whether or not these give the same bits each time; in TF32 only
    if the caller did not turn it off.
    """
    one = Layers(build(), x, slots=slots, dtype=dtype)
    layers: list[Numbers] = []
    # Many members, as a device that is not filled waits for the host; fewer where memory does not suffice.
    while members and not layers:
        for layout in (torch.contiguous_format, torch.channels_last):
            try:
                work = Layers(build(), x, layout=layout, members=members, dtype=dtype)
                layers.append(_seconds(work, rounds))
            except (RuntimeError, MemoryError) as problem:
                if not memory.out_of_memory(problem):
                    raise
            work = one  # the other layout gets its memory
        members //= 2
    copy, moved = copying(x.device)
    copies = interleaved({"copy": copy}, rounds=rounds)["copy"]
    best = min(layers, key=lambda seconds: float(np.median(seconds))) if layers else np.empty(0)
    return Limit(best, one.bytes * copies / moved, one.flops, one.bytes)


def _seconds(layers: Layers, rounds: int) -> Numbers:
    """Seconds a member, [rounds]."""
    wait = waiting(layers.calls[0][1].device)

    def training() -> None:
        layers.training()
        wait()

    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = False, True
    try:
        return interleaved({"layers": training}, rounds=rounds)["layers"] / layers.members
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def copying(device: torch.device) -> tuple[Callable[[], None], int]:
    """Copies memory from one place of the device to another; the bytes that are read and written by that."""
    size, wait = COPIED[device.type], waiting(device)
    source, target = (torch.zeros(size, dtype=torch.uint8, device=device) for _ in range(2))

    def copy() -> None:
        target.copy_(source)
        wait()

    return copy, 2 * size


def waiting(device: torch.device) -> Callable[[], None]:
    """Waits until the device has done what it was asked for."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None
