"""What pruning consists of, one file a factor: a part of the treatment that can be given without the others."""

from prunescope.explain.factors.choice import Choice
from prunescope.explain.factors.disturbance import Disturbance
from prunescope.explain.factors.factor import Factor
from prunescope.explain.factors.size import Size
from prunescope.explain.factors.time import Time

FACTORS: tuple[Factor, ...] = (Time(), Size(), Disturbance(), Choice())
"""Pruning, taken apart."""

__all__ = ["FACTORS", "Choice", "Disturbance", "Factor", "Size", "Time"]
