"""Pure functions of one stored state, or of two.

Belongs here: measures and comparisons, a file each or a file a subject, and functions of their readings (`combine.py`,
`memorization.py`). Does not belong here: what is looked at while a network trains (`training/probes.py`), how readings
are stored and compared (`runs/`, `studies/`).
"""

# mypy: implicit-reexport

from prunescope.measures.adaptive_sharpness import AdaptiveSharpness
from prunescope.measures.barrier import Barrier
from prunescope.measures.curvature.surface import Sample
from prunescope.measures.examples import EL2N, Examples, Labels, OutOfSample, SeenUnseen
from prunescope.measures.gradient_trace import GradientTrace, GraNd
from prunescope.measures.hessian_spectrum import HessianSpectrum, LossAlongEigenvectors
from prunescope.measures.hessian_trace import HessianTrace, HessianTraceEstimate, HessianTraceOrEstimate
from prunescope.measures.layers import LayerDistance, LayerSensitivity
from prunescope.measures.measure import Comparison, Measure, by_layer
from prunescope.measures.normality import Normality
from prunescope.measures.outputs import Neighbours, Outputs
from prunescope.measures.pruning_rise import PruningRise
from prunescope.measures.risk import ClassRisk, GroupRisk, Halves, Risk
from prunescope.measures.robustness import OutputsUnder
from prunescope.measures.signal import NoiseResponse, SignalAndNoise, SignalNeurons
from prunescope.measures.sparsity import LayerSparsity, UnitsGone, WeightCount, WeightVector
from prunescope.measures.traces import Traces
