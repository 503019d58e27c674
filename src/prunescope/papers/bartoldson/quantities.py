"""What is measured in a run: the quantities of the two papers, each with its unit and where it comes from.

Belongs here: from the traces and readings of the runs of an arm to one number a run. Does not belong here: comparing
arms (`comparison.py`), what an event is (`studies/events.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from numpy.typing import ArrayLike

import prunescope as ps
from prunescope.measures import UnitsGone
from prunescope.papers.readings import at_end
from prunescope.studies.events import SOON, Epochs, accuracy_at, epochs
from prunescope.training.probes import Limit, RecalibratedAccuracy

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
    measures: tuple[ps.Measure, ...]


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
    moment: ps.Duration = "100%"

    def accuracy(self, run: ps.Recipe, split: Split = "test") -> ps.Trace:
        """Accuracy around the end of every epoch."""
        limit = self.test if split == "test" else self.train
        return ps.Trace(probe=ps.EpochAccuracy(split=split, limit=limit), run=run)

    def recalibrated(self, run: ps.Recipe) -> ps.Trace:
        """Test accuracy around events, BatchNorm statistics estimated anew."""
        size = max(2, run.batch)
        probe = RecalibratedAccuracy(limit=self.test, batches=self.recalibration, batch=size)
        return ps.Trace(probe=probe, run=run)

    def reading(self, run: ps.Recipe, measure: ps.Measure) -> ps.Reading:
        """A measure at the moment."""
        return ps.Reading(measure=measure, state=ps.StateRef(run=run, moment=ps.Moment(when="step", at=self.moment)))


Maker = Callable[[Observables, Sequence[ps.Recipe]], ps.Quantity]
"""From what is measured, and the runs of an arm, to a quantity [R]."""


TEST, TRAIN, AROUND = Observables.accuracy, partial(Observables.accuracy, split="train"), Observables.recalibrated
"""Where accuracy is from: on the test or training set after every epoch, or on the test set around events, anew."""


def over_epochs(function: Callable[..., ArrayLike], *traces: Iterable[ps.Trace]) -> ps.Quantity:
    """A function of accuracies over epochs, [R] or [R, P]; traces: of every run, for each of its arguments."""
    return ps.each(lambda *read: function(*map(epochs, read)), *traces)


def _of(function: Callable[..., float], *looks: Callable[[Observables, ps.Recipe], ps.Trace]) -> Maker:
    """The same from where accuracy is from."""
    return lambda taken, runs: over_epochs(function, *([look(taken, run) for run in runs] for look in looks))


def _at_end(measure: ps.Measure, name: str) -> Maker:
    """A value of a measure of the last state."""
    return lambda _, runs: ps.column([at_end(run, measure) for run in runs], name)


def _accuracy(split: Split) -> Maker:
    """Accuracy on a whole split at the end."""
    error = _at_end(ps.Risk(split=split), "error")
    return lambda observables, runs: error(observables, runs).map(lambda errors: 100 * (1 - errors))


def _at_moment(observables: Observables, runs: Sequence[ps.Recipe]) -> ps.Quantity:
    step = runs[0].clock().steps(observables.moment)
    return ps.each(partial(accuracy_at, step=step), [TRAIN(observables, run) for run in runs])


def _gap(test: Epochs, train: Epochs) -> float:
    return float((train.after - test.after)[test.best()])


_test_end, _train_end = _accuracy("test"), _accuracy("train")
_falls, _soon = partial(Epochs.mean_drop, positive=True), partial(Epochs.recovered, within=SOON)
QUANTITIES: Mapping[str, tuple[str, Maker]] = {
    # t_post / t_pre of an event, mean over events; 100 without any. Source: 2020, Figure 1.
    "mean_stability": ("mean stability, %", _of(Epochs.mean_stability, TEST)),
    # t_pre - t_post of an event. Source: 2019, section 3.1; over falls only in Figure 1 left.
    "mean_drop": (f"mean drop in test accuracy, {POINTS}", _of(Epochs.mean_drop, TEST)),
    "mean_positive_drop": (f"mean drop over events that cost accuracy, {POINTS}", _of(_falls, TEST)),
    "worst_drop": (f"largest drop of an event, {POINTS}", _of(Epochs.worst_drop, TEST)),
    # Accuracy of the epoch before the last event's minus that right after it. Source: 2019, Figure A2.
    "last_drop": (f"drop at the last event, {POINTS}", _of(Epochs.last_drop, TEST)),
    # The same anew; the last drop is then t_pre - t_post, as a trace of events has no epoch before them.
    "recalibrated_stability": (f"mean stability {ANEW}, %", _of(Epochs.mean_stability, AROUND)),
    "recalibrated_drop": (f"mean drop {ANEW}, {POINTS}", _of(Epochs.mean_drop, AROUND)),
    "recalibrated_positive_drop": (f"mean drop over events that cost accuracy {ANEW}, {POINTS}", _of(_falls, AROUND)),
    "recalibrated_worst_drop": (f"largest drop of an event {ANEW}, {POINTS}", _of(Epochs.worst_drop, AROUND)),
    "recalibrated_last_drop": (
        f"drop at the last event against just before it {ANEW}, {POINTS}",
        _of(Epochs.drop_at_last, AROUND),
    ),
    # Highest t_post from the last event on: selected on the test set. Source: 2020, the authors' code.
    "best": ("best test accuracy after the last event, %", _of(Epochs.best_accuracy, TEST)),
    "final": ("test accuracy after the last epoch, %", _of(Epochs.final_accuracy, TEST)),
    "test": ("test accuracy at the end, whole test set, %", _test_end),
    "train": ("training accuracy at the end, %", _train_end),
    # Differs from the source, where it is that of augmented batches while they train.
    "train_at_best": (
        "training accuracy at the best epoch, %",
        _of(lambda test, train: float(train.after[test.best()]), TEST, TRAIN),
    ),
    "train_at_moment": ("training accuracy where flatness is measured, %", _at_moment),
    "gap": (f"generalization gap at the best epoch, {POINTS}", _of(_gap, TEST, TRAIN)),
    "final_gap": (
        f"generalization gap after the last epoch, {POINTS}",
        _of(lambda test, train: train.final_accuracy() - test.final_accuracy(), TEST, TRAIN),
    ),
    "end_gap": (
        f"generalization gap at the end, {POINTS}",
        lambda observables, runs: _train_end(observables, runs) - _test_end(observables, runs),
    ),
    "recovery": ("epochs until accuracy is back, events without recovery left out", _of(Epochs.mean_recovery, TEST)),
    "recovered": ("events after which accuracy comes back, %", _of(Epochs.recovered, TEST)),
    "recovered_soon": (f"events after which accuracy is back within {SOON} epochs, %", _of(_soon, TEST)),
    "own": ("parameters of removed filters, % of all", _at_end(UnitsGone(), "own")),
    "structural": ("parameters that the smaller network lacks, % of all", _at_end(UnitsGone(), "structural")),
}
"""Every quantity of a run with the label of its axis; t_pre and t_post are test accuracy before and after an event."""
RECALIBRATED: Mapping[str, str] = (
    {"mean_stability": "recalibrated_stability"}
    | {kind: f"recalibrated_{kind}" for kind in ("worst_drop", "last_drop")}
    | {f"mean_{kind}": f"recalibrated_{kind}" for kind in ("drop", "positive_drop")}
)
"""Quantities of events, and what they are called with BatchNorm statistics estimated anew."""
STABILITIES = ("mean_stability", "recalibrated_stability")


def label(quantity: str) -> str:
    """The axis label of a quantity; a measure is called by its own name."""
    return QUANTITIES[quantity][0] if quantity in QUANTITIES else quantity
