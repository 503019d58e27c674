"""Traces by random probes, where no exact sweep is possible."""

from typing import NamedTuple

import torch
from torch import Tensor

from prunescope.base.streams import stream
from prunescope.measures.curvature.products import Operator

VECTORS = 8
"""Vectors a product: they share the graph of the first derivative, and this many are in memory."""


class Estimate(NamedTuple):
    """A trace by random probes.

    diagonal: float64 [P]; its sum is the estimated trace.
    error: float64 0-D, the standard error of that sum.
    """

    diagonal: Tensor
    error: Tensor


def trace(apply: Operator, like: Tensor, *, probes: int, sketch: int, seed: int) -> Estimate:
    """Tr(A) from `probes` random sign vectors, after `sketch` directions are taken out and traced exactly.

    Tr(A) = Tr(Q^T A Q) + E[g^T P A P g], P = 1 - Q Q^T, with Q an orthonormal basis of A times `sketch` random sign
    vectors. sketch = 0 is Hutchinson's estimator. Products: 2 sketch + probes. The error is the standard deviation
    over probes divided by the root of their number; it needs two of them.

    like: a vector [P] of the right dtype and device.
    Source: Hutchinson 1989; Meyer et al. 2021, algorithm 1.
    Differs from the source: the number of probes is free of that of directions.
    """
    diagonal = torch.zeros(like.numel(), dtype=torch.float64, device=like.device)
    basis = like.new_zeros(0, like.numel())
    if sketch:
        images = torch.cat([apply(_signs(like, part, seed, "sketch")) for part in _parts(sketch)])
        basis = torch.linalg.qr(images.T).Q.T
        for part in basis.split(VECTORS):
            diagonal += (part * apply(part)).double().sum(0)
    values = []
    for part in _parts(probes):
        signs = _signs(like, part, seed, "probe")
        outside = signs - (signs @ basis.T) @ basis
        terms = (outside * apply(outside)).double()
        values.append(terms.sum(1))
        diagonal += terms.sum(0) / probes
    return Estimate(diagonal, torch.cat(values).std() / probes**0.5)


def _parts(count: int) -> list[range]:
    """The numbers below `count`, VECTORS at a time."""
    return [range(begin, min(begin + VECTORS, count)) for begin in range(0, count, VECTORS)]


def _signs(like: Tensor, numbers: range, seed: int, name: str) -> Tensor:
    """Random signs [len(numbers), P], each vector from a draw of its own."""
    draws = [
        torch.randint(0, 2, like.shape, generator=stream(seed, "trace", name, number)) for number in numbers
    ]
    return (2 * torch.stack(draws) - 1).to(like)
