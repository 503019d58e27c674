"""Pure functions of one stored state.

Belongs here: measures, one file each, and functions that combine their readings (`combine.py`, `displacement.py`,
`memorization.py`, `tic.py`). Does not belong here: what is looked at while a network trains (`training/probes.py`), how
readings are stored and compared (`runs/`, `studies/`).
"""

from prunescope.measures.adaptive_sharpness import AdaptiveSharpness
from prunescope.measures.class_risk import ClassRisk
from prunescope.measures.curvature.surface import Sample
from prunescope.measures.displacement import WeightVector
from prunescope.measures.el2n import EL2N
from prunescope.measures.examples import Examples
from prunescope.measures.gradient_trace import GradientTrace
from prunescope.measures.grand import GraNd
from prunescope.measures.group_risk import GroupRisk
from prunescope.measures.halves import Halves
from prunescope.measures.hessian_spectrum import HessianSpectrum
from prunescope.measures.hessian_trace import HessianTrace
from prunescope.measures.hessian_trace_estimate import HessianTraceEstimate
from prunescope.measures.hessian_trace_or_estimate import HessianTraceOrEstimate
from prunescope.measures.labels import Labels
from prunescope.measures.loss_along_eigenvectors import LossAlongEigenvectors
from prunescope.measures.measure import Measure
from prunescope.measures.normality import Normality
from prunescope.measures.out_of_sample import OutOfSample
from prunescope.measures.outputs import Outputs
from prunescope.measures.risk import Risk
from prunescope.measures.seen_unseen import SeenUnseen
from prunescope.measures.signal import NoiseResponse, SignalAndNoise, SignalNeurons
from prunescope.measures.sparsity import LayerSparsity
from prunescope.measures.units_gone import UnitsGone

__all__ = [
    "EL2N",
    "AdaptiveSharpness",
    "ClassRisk",
    "Examples",
    "GraNd",
    "GradientTrace",
    "GroupRisk",
    "Halves",
    "HessianSpectrum",
    "HessianTrace",
    "HessianTraceEstimate",
    "HessianTraceOrEstimate",
    "Labels",
    "LayerSparsity",
    "LossAlongEigenvectors",
    "Measure",
    "NoiseResponse",
    "Normality",
    "OutOfSample",
    "Outputs",
    "Risk",
    "Sample",
    "SeenUnseen",
    "SignalAndNoise",
    "SignalNeurons",
    "UnitsGone",
    "WeightVector",
]
