"""Tr(H) of piecewise linear networks, exactly.

Belongs here: the sweep over the loss's own directions. Does not belong here: the condition
(`curvature/piecewise.py`), estimates (`hessian_trace_estimate.py`).
"""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.curvature import gradient_norms, piecewise
from prunescope.measures.curvature.surface import Sample, require_evaluation, require_separate, surface
from prunescope.measures.gradient_trace import traces
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Loss, Problem


class HessianTrace(Measure):
    """Tr(H) of the mean loss over the kept weights, without sampling: one sweep of gradient norms a class.

    Tr(H) = (1/N) sum_i sum_k lambda_ik |J_i^T u_ik|^2, with lambda_ik, u_ik the eigenpairs of the Hessian of example
    i's loss in its logits (for cross-entropy diag(p) - p p^T). trace: float64 0-D, nats per squared unit of weight;
    "trace.NAME": the part of each parameter.

    Holds for networks of linear layers, convolutions, ReLU, pooling, residual sums and BatchNorm with running
    statistics; anything else is refused. Where an activation is exactly at its kink, its derivative is PyTorch's.

    Source: Bartoldson et al. 2020, appendix E, for the quantity.
    Differs from the source: the whole trace; the authors sum 100 eigenvalues (`HessianSpectrum`).
    """

    sample: Sample = Sample()

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The trace and its parts.

        Raises UsageError, naming the module, for a network that does not meet the condition; in training mode; for
        more examples than there are.
        """
        require_evaluation(self.sample, "the exact Tr(H)", f" or {piecewise.INSTEAD}")
        around = surface(problem, weights, self.sample)
        require_separate(around.model.template(train=False))
        piecewise.require(around)
        found = gradient_norms.sums(around, lambda logits, y: bends(around.loss, logits, y))
        return traces({name: part.mean() for name, part in found.items()})


def bends(loss: Loss, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors [K, B, C] and eigenvalues [K, B] of each example's loss Hessian in its logits [B, C].

    Directions in which no example's loss bends (for cross-entropy the one of equal logits) are left out, so K <= C.
    """

    def single(scores: Tensor, label: Tensor) -> Tensor:
        return loss(scores.unsqueeze(0), label.unsqueeze(0)).squeeze(0)

    hessians = torch.func.vmap(torch.func.hessian(single))(logits.detach().double(), y)
    values, vectors = torch.linalg.eigh(hessians)
    values, vectors = values.T, vectors.permute(2, 0, 1)
    # Relative to each example's largest: examples that are fitted well have small Hessians, not flat ones.
    bent = (values.abs() > 1e-12 * values.abs().amax(0)).any(1)
    return vectors[bent].to(logits.dtype), values[bent]
