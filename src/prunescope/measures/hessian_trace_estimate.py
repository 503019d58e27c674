"""Tr(H) of any network, by random probes, with its error."""

from pydantic import Field
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.curvature import estimate
from prunescope.measures.curvature.products import Matrix, operator
from prunescope.measures.curvature.surface import Sample, surface
from prunescope.measures.gradient_trace import traces
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Problem


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
        return {
            **traces(around.by_parameter(traced.diagonal)),
            "error": traced.error,
            "examples": around.examples,
        }
