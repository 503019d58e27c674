"""Tr(H) of any network, by random probes, with its error.

Belongs here: the sampled trace. Does not belong here: the exact one (`hessian_trace.py`).
"""

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

    trace: float64 0-D, nats per squared unit of weight; error: its standard error; "trace.NAME": the part of each
    parameter. Use it where `HessianTrace` refuses: curved activations, normalization by the batch.

    probes: random vectors. sketch: directions taken out and traced exactly first (Hutch++); 0 is Hutchinson's
    estimator. It pays where few eigenvalues hold most of the trace. seed: of the draws.

    Source: Hutchinson 1989; Meyer et al. 2021. The number of probes is proposed here.
    """

    sample: Sample = Sample()
    matrix: Matrix = "hessian"
    probes: int = Field(default=100, ge=2)
    sketch: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The estimate, its error and its parts."""
        around = surface(problem, weights, self.sample)
        found = estimate.trace(
            operator(around, self.matrix),
            around.vector(around.params),
            probes=self.probes,
            sketch=self.sketch,
            seed=self.seed,
        )
        return {
            **traces(around.by_parameter(found.diagonal)),
            "error": found.error,
            "examples": around.examples,
        }
