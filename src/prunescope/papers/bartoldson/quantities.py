"""What is measured in a run: the quantities of the two papers, each with its unit and where it comes from.

Belongs here: from the traces and readings of the runs of an arm to one number a run. Does not belong here: comparing
arms (`comparison.py`), what an event is (`studies/events.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Literal

from numpy.typing import ArrayLike

from prunescope.base.reference import Moment, StateRef
from prunescope.base.steps import Duration
from prunescope.measures import Measure, Risk, UnitsGone
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading, Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.events import SOON, Epochs, accuracy_at, epochs
from prunescope.studies.quantity import Quantity, column, each
from prunescope.training.probes import EpochAccuracy, Limit, RecalibratedAccuracy

ANEW = "with BatchNorm statistics estimated anew"
POINTS = "percentage points"
Split = Literal["test", "train"]


@dataclass(frozen=True)
class Measured:
    """A number of one state.

    value: which value of the reading it is, or a function of several readings.
    measures: what is read, in the order of the function's arguments.
    """

    value: str | Callable[..., ArrayLike]
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Observables:
    """What is measured in every run of a comparison.

    test, train: how many examples of each split after every epoch; the whole splits are read at the end.
    recalibration: training batches behind the estimate of BatchNorm statistics around events; 0 leaves that out.
    measures: numbers of the state at `moment`, by name.
    moment: the end of an epoch.
    """

    test: Limit = "all"
    train: Limit = "all"
    recalibration: int = 0
    measures: Mapping[str, Measured] = field(default_factory=dict)
    moment: Duration = "100%"

    def accuracy(self, run: Recipe, split: Split = "test") -> Trace:
        """Accuracy around the end of every epoch."""
        limit = self.test if split == "test" else self.train
        return Trace(probe=EpochAccuracy(split=split, limit=limit), run=run)

    def recalibrated(self, run: Recipe) -> Trace:
        """Test accuracy around events, BatchNorm statistics estimated anew."""
        size = max(2, run.batch)
        probe = RecalibratedAccuracy(limit=self.test, batches=self.recalibration, batch=size)
        return Trace(probe=probe, run=run)

    def reading(self, run: Recipe, measure: Measure) -> Reading:
        """A measure at the moment."""
        return Reading(measure=measure, state=StateRef(run=run, moment=Moment(when="step", at=self.moment)))


Maker = Callable[[Observables, Sequence[Recipe]], Quantity]
"""From what is measured, and the runs of an arm, to a quantity [R]."""


def _test(function: Callable[[Epochs], float]) -> Maker:
    """A function of test accuracy over epochs."""
    return lambda observables, runs: each(lambda test: function(epochs(test)), map(observables.accuracy, runs))


def _both(function: Callable[[Epochs, Epochs], float]) -> Maker:
    """A function of test and training accuracy over epochs."""
    return lambda observables, runs: each(
        lambda test, train: function(epochs(test), epochs(train)),
        map(observables.accuracy, runs),
        [observables.accuracy(run, "train") for run in runs],
    )


def _anew(function: Callable[[Epochs], float]) -> Maker:
    """A function of test accuracy around events, BatchNorm statistics estimated anew."""
    return lambda observables, runs: each(lambda around: function(epochs(around)), map(observables.recalibrated, runs))


def _at_end(measure: Measure, name: str) -> Maker:
    """A value of a measure of the last state."""
    return lambda _, runs: column([Reading(measure=measure, state=final(run)) for run in runs], name)


def _accuracy(split: Split) -> Maker:
    """Accuracy on a whole split at the end."""
    error = _at_end(Risk(split=split), "error")
    return lambda observables, runs: error(observables, runs).map(lambda errors: 100 * (1 - errors))


def _at_moment(observables: Observables, runs: Sequence[Recipe]) -> Quantity:
    step = runs[0].clock().steps(observables.moment)
    return each(partial(accuracy_at, step=step), [observables.accuracy(run, "train") for run in runs])


def _gap(test: Epochs, train: Epochs) -> float:
    return float((train.after - test.after)[test.best()])


_test_end, _train_end = _accuracy("test"), _accuracy("train")
_falls = partial(Epochs.mean_drop, positive=True)
QUANTITIES: Mapping[str, tuple[str, Maker]] = MappingProxyType(
    {
        # t_post / t_pre of an event, mean over events; 100 without any. Source: 2020, Figure 1.
        "mean_stability": ("mean stability, %", _test(Epochs.mean_stability)),
        # t_pre - t_post of an event. Source: 2019, section 3.1; over falls only in Figure 1 left.
        "mean_drop": (f"mean drop in test accuracy, {POINTS}", _test(Epochs.mean_drop)),
        "mean_positive_drop": (f"mean drop over events that cost accuracy, {POINTS}", _test(_falls)),
        "worst_drop": (f"largest drop of an event, {POINTS}", _test(Epochs.worst_drop)),
        # Accuracy of the epoch before the last event's minus that right after it. Source: 2019, Figure A2.
        "last_drop": (f"drop at the last event, {POINTS}", _test(Epochs.last_drop)),
        # The same anew; the last drop is then t_pre - t_post, as a trace of events has no epoch before them.
        "recalibrated_stability": (f"mean stability {ANEW}, %", _anew(Epochs.mean_stability)),
        "recalibrated_drop": (f"mean drop {ANEW}, {POINTS}", _anew(Epochs.mean_drop)),
        "recalibrated_positive_drop": (
            f"mean drop over events that cost accuracy {ANEW}, {POINTS}",
            _anew(_falls),
        ),
        "recalibrated_worst_drop": (f"largest drop of an event {ANEW}, {POINTS}", _anew(Epochs.worst_drop)),
        "recalibrated_last_drop": (
            f"drop at the last event against just before it {ANEW}, {POINTS}",
            _anew(Epochs.drop_at_last),
        ),
        # Highest t_post from the last event on: selected on the test set. Source: 2020, the authors' code.
        "best": ("best test accuracy after the last event, %", _test(Epochs.best_accuracy)),
        "final": ("test accuracy after the last epoch, %", _test(Epochs.final_accuracy)),
        "test": ("test accuracy at the end, whole test set, %", _test_end),
        "train": ("training accuracy at the end, %", _train_end),
        # Differs from the source, where it is that of augmented batches while they train.
        "train_at_best": (
            "training accuracy at the best epoch, %",
            _both(lambda test, train: float(train.after[test.best()])),
        ),
        "train_at_moment": ("training accuracy where flatness is measured, %", _at_moment),
        "gap": (f"generalization gap at the best epoch, {POINTS}", _both(_gap)),
        "final_gap": (
            f"generalization gap after the last epoch, {POINTS}",
            _both(lambda test, train: train.final_accuracy() - test.final_accuracy()),
        ),
        "end_gap": (
            f"generalization gap at the end, {POINTS}",
            lambda observables, runs: _train_end(observables, runs) - _test_end(observables, runs),
        ),
        "recovery": (
            "epochs until accuracy is back, events without recovery left out",
            _test(Epochs.mean_recovery),
        ),
        "recovered": ("events after which accuracy comes back, %", _test(Epochs.recovered)),
        "recovered_soon": (
            f"events after which accuracy is back within {SOON} epochs, %",
            _test(partial(Epochs.recovered, within=SOON)),
        ),
        "own": ("parameters of removed filters, % of all", _at_end(UnitsGone(), "own")),
        "structural": (
            "parameters that the smaller network lacks, % of all",
            _at_end(UnitsGone(), "structural"),
        ),
    }
)
"""Every quantity of a run with the label of its axis; t_pre and t_post are test accuracy before and after an event."""
RECALIBRATED: Mapping[str, str] = MappingProxyType(
    {"mean_stability": "recalibrated_stability"}
    | {kind: f"recalibrated_{kind}" for kind in ("worst_drop", "last_drop")}
    | {f"mean_{kind}": f"recalibrated_{kind}" for kind in ("drop", "positive_drop")}
)
"""Quantities of events, and what they are called with BatchNorm statistics estimated anew."""
STABILITIES = ("mean_stability", "recalibrated_stability")


def label(quantity: str) -> str:
    """The axis label of a quantity; a measure is called by its own name."""
    return QUANTITIES[quantity][0] if quantity in QUANTITIES else quantity
