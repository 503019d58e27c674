"""Tr(H) of any network: exact where that is possible, else by random probes with its error."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.curvature import piecewise
from prunescope.measures.curvature.surface import Sample, surface
from prunescope.measures.hessian_trace import MOST_CLASSES, HessianTrace
from prunescope.measures.hessian_trace_estimate import HessianTraceEstimate
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Problem


class HessianTraceOrEstimate(Measure):
    """`HessianTrace` where the network meets its conditions, else `HessianTraceEstimate` with so many probes.

    trace: float64 0-D, nats per squared unit of weight.
    error: float64 0-D, its standard error, 0 where it is exact.
    exact: float64 0-D, 1 or 0; 0 also beyond 1024 classes, where a sweep a class takes longer than probes.
    trace.NAME: float64 0-D, the part of each parameter.
    examples: float64 0-D, how many examples the sample has.
    """

    sample: Sample = Sample()
    probes: int = Field(default=100, ge=2)
    seed: int = Field(default=0, ge=0)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The trace, its error and its parts. Raises UsageError where there is no second derivative."""
        around = surface(problem, weights, self.sample)
        few = len(around.outputs) == 1 and around.outputs[0] <= MOST_CLASSES
        exact = few and not around.train and piecewise.holds(around)
        if exact:
            values = HessianTrace(sample=self.sample).measure(problem, weights)
        else:
            estimate = HessianTraceEstimate(sample=self.sample, probes=self.probes, seed=self.seed)
            values = estimate.measure(problem, weights)
        zero = torch.zeros_like(values["trace"])
        return {"error": zero, **values, "exact": zero + exact}
