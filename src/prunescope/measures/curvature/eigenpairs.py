"""Eigenpairs of largest absolute value of a symmetric matrix that is known by its products."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from prunescope.measures.curvature.products import Operator

BASIS_NUMBERS = 2**29
"""Numbers of all basis vectors together (2 GiB in float32), unless count + 10 vectors alone are more."""
RESTARTS = 200


class Eigenpairs(NamedTuple):
    """Some eigenpairs of a symmetric matrix A.

    values: [k], largest absolute value first, sign kept.
    vectors: [k, P], of length 1.
    residuals: [k], |A v - value v|.
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor


def top(apply: Operator, start: Tensor, count: int, *, tolerance: float) -> Eigenpairs:
    """The `count` eigenpairs of largest absolute value; where there are fewer, value and vector of the rest are 0.

    start: [P], a random vector; where the space that it spans is exhausted, its rotations take its place.
    tolerance: bound on every residual relative to the largest absolute eigenvalue; after 200 restarts the pairs are
        returned as they are, and the residuals tell.

    Full orthogonalization, twice, so no ghost eigenvalues; at most `basis_size` vectors are held.
    Source: Wu and Simon 2000, thick-restart Lanczos.
    """
    dimension = start.numel()
    missing = max(0, count - dimension)
    count -= missing
    if not count:
        zeros = start.new_zeros(missing).double()
        return Eigenpairs(zeros, start.new_zeros(missing, dimension), zeros)
    size = basis_size(count, dimension)
    basis = start.new_zeros(size + 1, dimension)
    basis[0] = start / start.norm()
    small = torch.zeros(size, size, dtype=torch.float64, device=start.device)
    locked = 0
    for restart in range(RESTARTS):
        remainder = _extend(apply, basis, small, locked, size, start.roll(restart + 1))
        if not bool(small.isfinite().all()):
            nothing = start.new_full((count + missing, dimension), torch.nan)
            return Eigenpairs(nothing[:, 0].double(), nothing, nothing[:, 0].double())
        values, mixing = torch.linalg.eigh(small)
        order = values.abs().argsort(descending=True)
        values, mixing = values[order], mixing[:, order]
        residuals = (remainder * mixing[-1]).abs()
        if restart == RESTARTS - 1 or bool((residuals[:count] <= tolerance * values[0].abs()).all()):
            break
        locked = min(count + (size - count) // 2, size - 1)
        basis[:locked] = mixing[:, :locked].T.to(start.dtype) @ basis[:size]
        basis[locked] = basis[size]
        small = torch.zeros_like(small)
        small[range(locked), range(locked)] = values[:locked]
    vectors = mixing[:, :count].T.to(start.dtype) @ basis[:size]
    vectors = F.pad(vectors / vectors.norm(dim=1, keepdim=True), (0, 0, 0, missing))
    return Eigenpairs(F.pad(values[:count], (0, missing)), vectors, F.pad(residuals[:count], (0, missing)))


def basis_size(count: int, dimension: int) -> int:
    """How many vectors are held: 2 count + 20 if memory permits, at least count + 10, at most all dimensions."""
    affordable = min(2 * count + 20, BASIS_NUMBERS // dimension)
    return min(dimension, max(count + 10, affordable))


def _extend(apply: Operator, basis: Tensor, small: Tensor, begin: int, end: int, spare: Tensor) -> float:
    """Fills basis[begin + 1 : end + 1] and the projection `small`, both in place; returns the last norm."""
    remainder = 0.0
    for step in range(begin, end):
        product = apply(basis[step].unsqueeze(0))[0]
        new, onto = _orthogonal(product, basis[: step + 1])
        small[: step + 1, step] = small[step, : step + 1] = onto
        remainder, scale = float(new.norm()), float(small.abs().max())
        # The product lies in the space, which is invariant then; the next vector starts beside it.
        if remainder <= 10 * torch.finfo(new.dtype).eps * max(scale, float(product.norm())):
            remainder = 0.0
            new, _ = _orthogonal(spare.roll(step), basis[: step + 1])
        length = new.norm()
        basis[step + 1] = new / length if step + 1 < basis.shape[1] else 0.0
    return remainder


def _orthogonal(vector: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """The part of a vector [P] orthogonal to the rows of a basis [K, P], and its coefficients on them [K], float64."""
    onto = torch.zeros(len(basis), dtype=torch.float64, device=vector.device)
    for _ in range(2):  # twice is enough
        part = basis @ vector
        vector = vector - part @ basis
        onto += part.double()
    return vector, onto


def deflated(apply: Operator, start: Tensor, count: int, *, steps: int, tolerance: float) -> tuple[Tensor, Tensor]:
    """Eigenvalues [count] in the order found, sign kept, and unit vectors [count, P].

    Each is the last Rayleigh quotient of at most `steps` products with A - sum_j value_j v_j v_j^T, stopped once its
    relative change is below `tolerance`. The first starts at `start` [P], the next at the vector before.

    Source: Bartoldson et al. 2020, the authors' code: 20 steps, 1e-4, uniform [0, 1) start. Inaccurate where
    eigenvalues lie close together; kept because their top-100 sums were made with it.
    Differs from the source: the Rayleigh quotient of a unit vector from the first step on.
    """
    values: list[float] = []
    vectors = start.new_zeros(0, start.numel())
    vector = start / start.norm()
    for _ in range(count):
        before = 0.0
        for _ in range(steps):
            product = apply(vector.unsqueeze(0))[0]
            product = product - (vectors @ vector * start.new_tensor(values)) @ vectors
            value, length = float(vector @ product), product.norm()
            if float(length) == 0.0:
                break
            vector = product / length
            if value != 0.0 and abs((value - before) / value) < tolerance:
                break
            before = value
        values.append(value)
        vectors = torch.cat([vectors, vector.unsqueeze(0)])
    return torch.tensor(values, dtype=torch.float64), vectors
