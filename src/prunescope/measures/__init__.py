"""Pure functions of one stored state. One file a measure; a new one needs no registration."""

from prunescope.measures.displacement import WeightVector
from prunescope.measures.el2n import EL2N
from prunescope.measures.examples import Examples
from prunescope.measures.grand import GraNd
from prunescope.measures.halves import Halves
from prunescope.measures.measure import Measure
from prunescope.measures.risk import Risk
from prunescope.measures.signal import NoiseResponse, SignalAndNoise, SignalNeurons
from prunescope.measures.sparsity import LayerSparsity

__all__ = [
    "EL2N",
    "Examples",
    "GraNd",
    "Halves",
    "LayerSparsity",
    "Measure",
    "NoiseResponse",
    "Risk",
    "SignalAndNoise",
    "SignalNeurons",
    "WeightVector",
]
