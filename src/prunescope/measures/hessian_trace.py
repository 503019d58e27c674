"""Tr(H): exactly for piecewise linear networks, by random probes with their error for any."""

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.measures.curvature import estimate, piecewise
from prunescope.measures.curvature.gradient_norms import Directions, sums
from prunescope.measures.curvature.products import Matrix, operator
from prunescope.measures.curvature.surface import Sample, Surface, require_evaluation, require_separate, surface
from prunescope.measures.gradient_trace import traces
from prunescope.measures.measure import Measure
from prunescope.tasks.losses import Loss
from prunescope.tasks.task import Problem

MOST_CLASSES = 1024
"""Up to so many classes the Hessian of the loss in the logits, [C, C] an example, is decomposed."""
MATRIX_NUMBERS = 2**24
"""Numbers of such Hessians held at once (128 MiB)."""


class HessianTrace(Measure):
    """Tr(H) of the mean loss over the kept weights, without sampling: one gradient norm an example and class.

    Tr(H) = (1/N) sum_i sum_k lambda_ik |J_i^T u_ik|^2, with lambda_ik, u_ik the eigenpairs of the Hessian of example
    i's loss in its logits (for cross-entropy diag(p) - p p^T).

    trace: float64 0-D, nats per squared unit of weight.
    trace.NAME: float64 0-D, the part of each parameter.
    examples: float64 0-D, how many examples the sample has.

    Holds for networks of linear layers, convolutions, ReLU, pooling, residual sums and BatchNorm with running
    statistics; anything else is refused. Where an activation is exactly at its kink, its derivative is PyTorch's.
    Beyond 1024 classes no [C, C] matrix is made, at two norms a class.

    Source: Bartoldson et al. 2020, appendix E, for the quantity.
    Differs from the source: the whole trace; the authors sum 100 eigenvalues (`HessianSpectrum`).
    """

    sample: Sample = Sample()

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The trace and its parts.

        Raises UsageError, naming the module, for a network that does not meet the condition, and in training mode.
        """
        require_evaluation(self.sample, "the exact Tr(H)", f" or {piecewise.INSTEAD}")
        around = surface(problem, weights, self.sample)
        require_separate(around)
        piecewise.require(around)
        if len(around.outputs) != 1:
            shape = tuple(around.outputs)
            raise UsageError(f"the exact Tr(H) needs logits [N, C], not {shape} an example; {piecewise.INSTEAD}")
        bends = eigenvectors if around.outputs[0] <= MOST_CLASSES else columns
        squares = sums(around, lambda logits, y: bends(around.loss, logits, y))
        parts = {name: square.mean() for name, square in squares.items()}
        return {**traces(parts), "examples": around.examples}


def eigenvectors(loss: Loss, logits: Tensor, y: Tensor) -> Directions:
    """Eigenvectors and eigenvalues of each example's loss Hessian in its logits [B, C], as directions and factors.

    Directions in which no example's loss bends (for cross-entropy the one of equal logits) are left out.
    """
    pairs = eigenpairs(loss, logits, y)
    return columns(loss, logits, y) if pairs is None else zip(*pairs, strict=True)


def eigenpairs(loss: Loss, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor] | None:
    """The same vectors [K, B, C] and values [K, B], float64; None for a loss that looks at its data."""

    def single(scores: Tensor, label: Tensor) -> Tensor:
        return loss(scores.unsqueeze(0), label.unsqueeze(0)).squeeze(0)

    rows = max(1, MATRIX_NUMBERS // logits.shape[1] ** 2)
    parts: list[tuple[Tensor, Tensor]] = []
    for scores, labels in zip(torch.split(logits.detach(), rows), torch.split(y, rows), strict=True):
        try:
            hessians = torch.func.vmap(torch.func.hessian(single))(scores.double(), labels)
        except RuntimeError:  # the loss looks at its data
            return None
        if not bool(hessians.isfinite().all()):
            return None
        values, vectors = torch.linalg.eigh(hessians)
        parts.append((values.T, vectors.permute(2, 0, 1).to(logits.dtype)))
    values, vectors = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
    # Relative to each example's largest: examples that are fitted well have small Hessians, not flat ones.
    bent = (values.abs() > 1e-12 * values.abs().amax(0)).any(1)
    return vectors[bent], values[bent]


def columns(loss: Loss, logits: Tensor, y: Tensor) -> Directions:
    """The same sums for many classes, without any [C, C] matrix, by two directions a class.

    Tr(J^T H J) = sum_c (J^T e_c) . (J^T h_c), with h_c the column of H, and a . b = (|a + b|^2 - |a - b|^2) / 4. The
    two are brought to one length before.
    """
    scores = logits.detach().double().requires_grad_()
    slope = torch.autograd.grad(loss(scores, y).sum(), scores, create_graph=True)[0]
    for label in range(scores.shape[1]) if slope.requires_grad else ():
        column = torch.autograd.grad(slope[:, label].sum(), scores, retain_graph=True)[0]
        length = column.norm(dim=1, keepdim=True)
        other = column / length.clamp(min=torch.finfo(length.dtype).tiny)
        for sign in (1, -1):
            direction = sign * other
            direction[:, label] += 1
            yield direction.to(logits.dtype), sign * length[:, 0] / 4


class HessianTraceEstimate(Measure):
    """An unbiased estimate of Tr(H) of the mean loss over the kept weights, from random sign vectors.

    trace: float64 0-D, nats per squared unit of weight.
    error: float64 0-D, its standard error.
    trace.NAME: float64 0-D, the part of each parameter.
    examples: float64 0-D, how many examples the sample has.

    Fields: sample; matrix, H or the Gauss-Newton matrix; seed of the draws.
    probes: how many random vectors.
    sketch: how many directions are taken out and traced exactly first (Hutch++), which pays where few eigenvalues hold
        most of the trace; 0 is Hutchinson's estimator.

    For networks that `HessianTrace` refuses: curved activations, attention, normalization by the batch.

    Source: Hutchinson 1989; Meyer et al. 2021. The number of probes is proposed here.
    """

    sample: Sample = Sample()
    matrix: Matrix = "hessian"
    probes: int = Field(default=100, ge=2)
    sketch: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)

    def evaluations(self, sizes: Mapping[str, int]) -> float:
        """See `Measure`; a product with the Hessian costs what six evaluations do."""
        return 6 * (self.probes + self.sketch) * self.sample.size(sizes)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The estimate, its error and its parts. Raises UsageError where there is no second derivative."""
        around = surface(problem, weights, self.sample)
        traced = estimate.trace(
            operator(around, self.matrix),
            around.vector(around.params),
            probes=self.probes,
            sketch=self.sketch,
            seed=self.seed,
        )
        return {**traces(around.by_parameter(traced.diagonal)), "error": traced.error, "examples": around.examples}


def is_quick(around: Surface) -> bool:
    """Whether Tr(H) is exactly that of the Gauss-Newton matrix, and of so few classes that this takes little."""
    few = len(around.outputs) == 1 and around.outputs[0] <= MOST_CLASSES
    return few and not around.train and piecewise.holds(around)


class HessianTraceOrEstimate(Measure):
    """`HessianTrace` where the network meets its conditions, else `HessianTraceEstimate` with so many probes.

    trace: float64 0-D, nats per squared unit of weight.
    error: float64 0-D, its standard error, 0 where it is exact.
    exact: float64 0-D, 1 or 0; 0 also beyond 1024 classes, where a derivative a class takes longer than probes.
    trace.NAME: float64 0-D, the part of each parameter.
    examples: float64 0-D, how many examples the sample has.
    """

    sample: Sample = Sample()
    probes: int = Field(default=100, ge=2)
    seed: int = Field(default=0, ge=0)

    def evaluations(self, sizes: Mapping[str, int]) -> float:
        """See `Measure`; a product with the Hessian costs what six evaluations do."""
        return 6 * self.probes * self.sample.size(sizes)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The trace, its error and its parts. Raises UsageError where there is no second derivative."""
        exact = is_quick(surface(problem, weights, self.sample))
        if exact:
            values = HessianTrace(sample=self.sample).measure(problem, weights)
        else:
            estimate = HessianTraceEstimate(sample=self.sample, probes=self.probes, seed=self.seed)
            values = estimate.measure(problem, weights)
        zero = torch.zeros_like(values["trace"])
        return {"error": zero, **values, "exact": zero + exact}
