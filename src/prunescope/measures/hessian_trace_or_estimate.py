"""Tr(H) of any network: exact where that is possible, else by random probes with its error.

Belongs here: the choice. Does not belong here: either way to the trace.
"""

import math

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

    trace: float64 0-D, nats per squared unit of weight; error: its standard error, 0 where it is exact; exact: 1 or
    0; "trace.NAME": the part of each parameter.
    """

    sample: Sample = Sample()
    probes: int = Field(default=100, ge=2)
    seed: int = Field(default=0, ge=0)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The trace, its error and its parts. Raises UsageError for more examples than there are."""
        around = surface(problem, weights, self.sample)
        exact = not around.train and math.prod(around.outputs) <= MOST_CLASSES and piecewise.holds(around)
        if exact:
            found = HessianTrace(sample=self.sample).measure(problem, weights)
        else:
            estimate = HessianTraceEstimate(sample=self.sample, probes=self.probes, seed=self.seed)
            found = estimate.measure(problem, weights)
        nothing = torch.zeros_like(found["trace"])
        return {"error": nothing, **found, "exact": nothing + exact}
