"""Pure functions of one stored state. One file a measure; a new one needs no registration."""

from prunescope.measures.examples import Examples
from prunescope.measures.measure import Measure
from prunescope.measures.risk import Risk
from prunescope.measures.sparsity import LayerSparsity

__all__ = ["Examples", "LayerSparsity", "Measure", "Risk"]
