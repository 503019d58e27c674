"""prunescope: what pruning does to a network's generalization, and why.

The names below are the whole public interface of a notebook; each is loaded when it is first used, so that
`import prunescope` is quick.
"""

# mypy: implicit-reexport

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunescope import moved

if TYPE_CHECKING:
    from prunescope.audit import audit
    from prunescope.base.errors import PrunescopeError, UsageError
    from prunescope.base.reference import Moment, StateRef
    from prunescope.base.steps import Duration
    from prunescope.base.streams import Seeds, replicate
    from prunescope.base.value import Value
    from prunescope.explain.study import explain
    from prunescope.measures import Comparison, Examples, Labels, LayerSparsity, Measure, Risk
    from prunescope.runs.execution.ensure import ensure
    from prunescope.runs.graph.families import (
        at_init,
        dense,
        during_training,
        extended,
        final,
        grid,
        imp,
        one_shot,
        replicates,
        width,
        with_data,
        with_network,
    )
    from prunescope.runs.graph.given import given
    from prunescope.runs.graph.nodes import Chosen, Combined, Compared, Reading, Trace
    from prunescope.runs.graph.recipe import Recipe, Subset
    from prunescope.runs.machine.inspections import inspect
    from prunescope.runs.machine.modules import load_module
    from prunescope.runs.store.store import Store
    from prunescope.sharing.export import export
    from prunescope.sharing.publish import publish
    from prunescope.sparsity.scores import Magnitude, Random, Score
    from prunescope.sparsity.select import Remaining, Sparsity
    from prunescope.sparsity.unit_scores import FilterNorm, UnitScore
    from prunescope.studies.claim import Claim, Precondition
    from prunescope.studies.drawing import draw
    from prunescope.studies.figure import Computed, Figure, Rows
    from prunescope.studies.median import MedianDirection
    from prunescope.studies.plot import Intervals, Lines, Listing, Map, Row, Scatter, Sheet, Table
    from prunescope.studies.publish import report
    from prunescope.studies.quantity import Quantity, arrays, column, combined, constant, each, nodes_of, side_by_side
    from prunescope.studies.region import CorrelationDirection, Direction, Equivalence, Near, Region
    from prunescope.studies.results import Numbers, Results
    from prunescope.studies.rule import CorrelationBelow5Percent, OneStandardDeviation
    from prunescope.studies.share import Among, Count
    from prunescope.studies.study import Study, merged, titled
    from prunescope.tasks.data.augmentation import Augmentation
    from prunescope.tasks.data.cifar import cifar10, cifar100
    from prunescope.tasks.data.digits import digits
    from prunescope.tasks.data.idx import fashion_mnist, mnist
    from prunescope.tasks.data.source import Source
    from prunescope.tasks.data.synthetic import synthetic
    from prunescope.tasks.data.transforms import Transform, Transforms
    from prunescope.tasks.evaluation import logits
    from prunescope.tasks.model import Network, network
    from prunescope.tasks.targets import Binary, Classes, MultiLabel, Regression, Sequence
    from prunescope.tasks.task import Data, Task
    from prunescope.training.interventions import (
        At,
        BernoulliUnits,
        Every,
        Intervention,
        LayerSchedule,
        Noise,
        NoiseUnits,
        Prune,
        PruneUnits,
        Reinit,
        Release,
        Rewind,
        UseAverage,
        When,
        Zero,
        ZeroUnits,
    )
    from prunescope.training.optim import SGD, Adam, AdamW, Optimizer
    from prunescope.training.optimizers.torch_optimizer import TorchOptimizer
    from prunescope.training.optimizers.wrapper import Accumulated, Averaged, Clipped, Group, Grouped
    from prunescope.training.probes import AroundEvents, AverageCurve, Curve, EpochAccuracy, Probe
    from prunescope.training.samplers import Balanced, Sampler, Weighted
    from prunescope.training.schedules import Constant, Cosine, Milestones, Schedule, TorchSchedule, Warmup
    from prunescope.training.stopping import LossBelow

__version__ = "0.1.0"
moved.install()


@cache
def _homes() -> dict[str, str]:
    """The module of every public name, as the imports above tell it to a type checker; read when one is asked for."""
    text = Path(__file__).read_text(encoding="utf-8")
    block = next(node for node in ast.parse(text).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    if name.startswith("__") or name not in _homes():
        raise AttributeError(f"prunescope has no {name!r}; it has {', '.join(__dir__())}")
    value = globals()[name] = getattr(importlib.import_module(_homes()[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*_homes(), "__version__"])
