"""Results of runs that never ran: every reading and trace of a study, made from what pruning is said to do."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `paper_items` and `worlds`

from prunescope import measures
from prunescope.base.steps import Clock
from prunescope.measures.normality import BINS
from prunescope.runs.graph.nodes import Reading, Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.unit_scores import ExpectedActivation
from prunescope.training.interventions import Prune, PruneUnits
from prunescope.training.probes import EpochAccuracy, RecalibratedAccuracy


@dataclass(frozen=True)
class Truth:
    """What a run is like. drop: of every event, points; accuracy and fit: of test and training set in the end, percent;
    sharp: how sharp its minimum is; wait: epochs until accuracy is back."""

    drop: float
    accuracy: float
    sharp: float
    fit: float = 100.0
    wait: int = 1


class MadeUp:
    """A mapping from node to values, as `Results` is; what was asked for is kept."""

    def __init__(self, truth: Callable[[Recipe], Truth]) -> None:
        self.truth, self.values, self.runs = truth, dict[str, dict[str, np.ndarray]](), dict[str, Truth]()

    def __contains__(self, node) -> bool:
        return True

    def __getitem__(self, node):
        if node.id not in self.values:
            made = self._trace(node) if isinstance(node, Trace) else self._reading(node)
            self.values[node.id] = {name: np.asarray(value) for name, value in made.items()}
        return self.values[node.id]

    def _trace(self, node):
        truth, clock = self._seen(node.run), Clock(node.run.clock().epoch_steps, node.run.steps)
        onsets = {k for one in node.run.interventions for k in one.onsets(clock)} - {0}
        level, wait = (truth.fit, 1) if node.probe.split == "train" else (truth.accuracy, truth.wait)
        around = isinstance(node.probe, RecalibratedAccuracy)
        looks = sorted(onsets if around else onsets | set(EpochAccuracy().steps(clock)))
        rows = []
        for k in looks:
            lately = [onset for onset in onsets if 0 < k - onset < wait * clock.epoch_steps]
            before = level - truth.drop * len(lately)
            inside = around or k % clock.epoch_steps
            rows.append(("before" if inside and k in onsets else "step", k, before))
            if k in onsets:
                rows.append(("after", k, before - truth.drop))
        if not rows:
            return {}
        phase, local, percent = (np.array(column) for column in zip(*rows, strict=True))
        for_good = any(isinstance(one, Prune | PruneUnits) for one in node.run.interventions)
        return {
            "phase": phase,
            "local": local,
            "epoch": local / clock.epoch_steps,
            "error": 1 - percent / 100,
            "sparsity": for_good * np.cumsum(phase == "after") / 1000,
        }

    def _seen(self, run):
        if run.id not in self.runs:
            self.runs[run.id] = self._drawn(run)
        return self.runs[run.id]

    def _drawn(self, run):
        """The truth, with a little noise of the run's own in all that is not the fit."""
        truth = self.truth(run)
        draws = np.random.default_rng(int(sha256(run.id.encode()).hexdigest()[:8], 16)).normal(size=3) * 0.01
        return Truth(
            truth.drop + draws[0] if truth.drop else 0.0,
            truth.accuracy + draws[1],
            truth.sharp + draws[2],
            truth.fit,
            truth.wait,
        )

    def _reading(self, node: Reading):
        truth, measure = self._seen(node.state.run), node.measure
        if isinstance(measure, measures.Risk):
            return {"error": 1 - (truth.fit if measure.split == "train" else truth.accuracy) / 100}
        if isinstance(measure, measures.Examples):
            return {"correct": np.arange(100) < truth.accuracy}
        if isinstance(measure, measures.Labels):
            return {"label": np.arange(100) % 10}
        if isinstance(measure, measures.UnitsGone):
            return {"own": 42.1, "structural": 53.6}
        if isinstance(measure, measures.Normality):
            late = node.state.moment.when == "final"
            found = {"distance": np.full(8, 0.2), "mean_distance": 0.01 + 0.3 * late + 0.001 * truth.sharp}
            return found | {f"histogram.{layer}": np.ones(BINS) for layer in range(8)}
        if isinstance(measure, measures.LossAlongEigenvectors):
            curve = {"steps": np.linspace(-0.2, 0.2, 5), "increase.0": truth.sharp * np.arange(5.0)}
            return {"epsilon": 0.3 - 0.01 * truth.sharp, "reached": 1.0, **curve}
        if isinstance(measure, measures.HessianSpectrum):
            sums = {"sum": truth.sharp, "sum_above": truth.sharp, "largest_residual": 1e-5}
            return {"eigenvalues": truth.sharp / np.arange(1, measure.count + 1), **sums}
        if isinstance(measure, measures.AdaptiveSharpness):
            return {"worst": truth.sharp}
        assert isinstance(measure, measures.HessianTrace | measures.GradientTrace | measures.HessianTraceOrEstimate)
        # Tr(C) rises faster than Tr(H), so that their quotient rises too.
        trace = truth.sharp**2 if isinstance(measure, measures.GradientTrace) else truth.sharp
        return {"trace": trace, "trace.a.weight": trace / 2, "trace.b.weight": trace / 2, "error": 0.0}


def disruption(run: Recipe) -> float:
    """What the papers say of how much an event disrupts: more units at once, larger ones, E[BN]; 0 without pruning."""
    if not run.interventions:
        return 0.0
    (cut,) = run.interventions
    if isinstance(cut, Prune):
        return {"smallest": 1.0, "largest": 4.0}[cut.target]
    clock = Clock(run.clock().epoch_steps, run.steps)
    if cut.onsets(clock) == (0,):
        return 0.0
    events = max(len(schedule.steps(clock)) for schedule in cut.layers)
    rate = max(schedule.fraction for schedule in cut.layers) / events
    expected = isinstance(cut.score, ExpectedActivation)
    place = {"smallest": 1.0, "random": 1.5, "largest": 2.0}[cut.target]
    return 10 * rate * (place**2 if expected else place)


def as_published(run: Recipe) -> Truth:
    """More disruption, flatter minimum, higher accuracy; of Conv4 not with augmentation."""
    amount = disruption(run)
    single_weights = any(isinstance(cut, Prune) for cut in run.interventions)
    gain = 0.0 if single_weights and run.task.data.augmentation else 0.5
    return Truth(drop=amount, accuracy=80 + gain * amount, sharp=20 - amount)


@pytest.fixture(scope="session")
def made_up():
    """The class, and two worlds: the papers' and its opposite."""

    def opposite(run: Recipe) -> Truth:
        amount = disruption(run)
        return Truth(drop=amount, accuracy=80 - 0.5 * amount, sharp=20 + amount)

    return {"class": MadeUp, "published": MadeUp(as_published), "opposite": MadeUp(opposite), "truth": Truth}
