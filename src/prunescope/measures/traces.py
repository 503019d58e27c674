"""Tr(H) and Tr(C) of the same examples in one sweep, at a fraction of what the exact Tr(H) takes."""

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.measures.curvature.gradient_norms import Along, Directions, sums
from prunescope.measures.curvature.surface import Sample, require_evaluation, surface
from prunescope.measures.gradient_trace import GradientTrace, slopes, traces
from prunescope.measures.hessian_trace import HessianTraceEstimate, eigenpairs, eigenvectors, is_quick
from prunescope.measures.measure import Measure
from prunescope.tasks.losses import Loss
from prunescope.tasks.task import Problem


class Traces(Measure):
    """Tr(H) of the mean loss over the kept weights, without bias, and Tr(C), exactly.

    Tr(H) = (1/N) sum_i E |J_i^T v_i|^2 with v_i = sum_k s_ik sqrt(lambda_ik) u_ik, random signs s_ik, and lambda_ik and
    u_ik as of `HessianTrace`, under whose conditions this holds. An example whose loss bends in one direction only has
    no error, and `draws` of v_i take the place of a direction a class.

    trace: float64 0-D, nats per squared unit of weight.
    error: float64 0-D, its standard error, from the draws of every example; 0 where it is exact, because there are no
        more directions than draws, or because the loss bends downwards somewhere.
    gradient_trace: float64 0-D, Tr(C), squared nats per squared unit of weight.
    trace.NAME: float64 0-D, the part of each parameter in Tr(H).
    examples: float64 0-D, how many examples the sample has.

    Any other network gets `HessianTraceEstimate` with so many probes.

    Fields: sample; draws of v_i; probes; seed of both.
    """

    sample: Sample = Sample()
    draws: int = Field(default=2, ge=2)
    probes: int = Field(default=100, ge=2)
    seed: int = Field(default=0, ge=0)

    def evaluations(self, sizes: Mapping[str, int]) -> float:
        """See `Measure`; a forward pass, and for every direction what two more take."""
        return (4.0 + 2 * self.draws) * self.sample.size(sizes)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Both traces. Raises UsageError in training mode, and where an example has no gradient of its own."""
        require_evaluation(self.sample, "Tr(C)", "")
        around = surface(problem, weights, self.sample)
        if not is_quick(around):
            other = HessianTraceEstimate(sample=self.sample, probes=self.probes, seed=self.seed)
            slope = GradientTrace(sample=self.sample).measure(problem, weights)["trace"]
            found = other.measure(problem, weights)
            return {**found, "gradient_trace": slope}
        squares = sums(around, self._directions(around.loss), shape=[1 + self.draws])
        bends = {name: square[:, 1:] for name, square in squares.items()}
        by_draw = torch.stack(list(bends.values())).sum(0)
        error = by_draw.var(1).sum().sqrt() / (self.draws**0.5 * len(by_draw))
        return {
            **traces({name: bend.mean() for name, bend in bends.items()}),
            "gradient_trace": torch.stack([square[:, 0].mean() for square in squares.values()]).sum(),
            "error": error,
            "examples": around.examples,
        }

    def _directions(self, loss: Loss) -> Along:
        """The slope, which counts in the first sum, then what counts in the sums of the draws."""
        generator, slope = stream(self.seed, "traces"), slopes(loss)

        def along(logits: Tensor, y: Tensor) -> Directions:
            columns = torch.eye(1 + self.draws, dtype=torch.float64, device=logits.device)
            for direction, factor in slope(logits, y):
                yield direction, factor[:, None] * columns[0]
            pairs = eigenpairs(loss, logits, y)
            # Relative to the largest of all: an example that is fitted well has eigenvalues of rounding, of both signs.
            if pairs is None or len(pairs[0]) <= self.draws or bool(pairs[1].amin() < -1e-9 * pairs[1].amax()):
                for direction, factor in eigenvectors(loss, logits, y):
                    yield direction, factor[:, None] * columns[1:].sum(0)
                return
            vectors, values = pairs
            roots = values.clamp(min=0).sqrt()
            for column in columns[1:]:
                signs = 2 * torch.randint(0, 2, roots.shape, generator=generator).to(roots) - 1
                direction = ((signs * roots)[..., None] * vectors).sum(0)
                yield direction.to(logits.dtype), column.expand(len(logits), -1)

        return along
