"""What is read from the runs of arms: the quantities of the two papers, and comparisons of arms by them.

Belongs here: every quantity with its unit and where it comes from, lined up over replicates. Does not belong here: what
is claimed of them (`claims.py`), how they are drawn (`figures.py`), which arms there are (`arms.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.steps import Duration
from prunescope.base.streams import replicate
from prunescope.measures import Measure, Risk, UnitsGone
from prunescope.runs.families import final
from prunescope.runs.graph import Reading, Trace
from prunescope.runs.recipe import Recipe
from prunescope.studies import correlation
from prunescope.studies.correlation import Points, Statistic
from prunescope.studies.events import SOON, Epochs, accuracy_at, epochs
from prunescope.studies.quantity import Quantity, column, combined, each, nodes_of
from prunescope.studies.results import Node, Results
from prunescope.training.epoch_probes import EpochAccuracy, Limit, RecalibratedAccuracy

ANEW = "with BatchNorm statistics estimated anew"


@dataclass(frozen=True)
class Arm:
    """One way to prune; its runs differ by their seeds only."""

    name: str
    runs: tuple[Recipe, ...]


def arm(name: str, recipe: Recipe, replicates: int) -> Arm:
    """An arm of one recipe under the seeds of replicates 0 to `replicates` - 1."""
    return Arm(name, tuple(recipe.replace(seeds=replicate(number)) for number in range(replicates)))


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

    def replace(self, **changes: Any) -> "Observables":
        """The same with some fields changed."""
        return replace(self, **changes)

    def accuracy(self, run: Recipe, split: str) -> Trace:
        """Accuracy around the end of every epoch."""
        limit = self.test if split == "test" else self.train
        return Trace(probe=EpochAccuracy.model_validate({"split": split, "limit": limit}), run=run)

    def recalibrated(self, run: Recipe) -> Trace:
        """Test accuracy around events, BatchNorm statistics estimated anew."""
        size = max(2, run.batch)
        probe = RecalibratedAccuracy(limit=self.test, batches=self.recalibration, batch=size)
        return Trace(probe=probe, run=run)

    def reading(self, run: Recipe, measure: Measure) -> Reading:
        """A measure at the moment."""
        return Reading(
            measure=measure, state=StateRef(run=run, moment=Moment(when="step", at=self.moment))
        )


Maker = Callable[[Observables, Sequence[Recipe]], Quantity]
"""From what is measured, and the runs of an arm, to a quantity [R]."""


def _test(function: Callable[[Epochs], float]) -> Maker:
    """A function of test accuracy over epochs."""
    return lambda seen, runs: each(
        lambda test: function(epochs(test)), [seen.accuracy(run, "test") for run in runs]
    )


def _both(function: Callable[[Epochs, Epochs], float]) -> Maker:
    """A function of test and training accuracy over epochs."""
    return lambda seen, runs: each(
        lambda test, train: function(epochs(test), epochs(train)),
        [seen.accuracy(run, "test") for run in runs],
        [seen.accuracy(run, "train") for run in runs],
    )


def _anew(function: Callable[[Epochs], float]) -> Maker:
    """A function of test accuracy around events, BatchNorm statistics estimated anew."""
    return lambda seen, runs: each(
        lambda around: function(epochs(around)), [seen.recalibrated(run) for run in runs]
    )


def _end(split: str) -> Maker:
    """Accuracy on a whole split at the end."""

    def make(seen: Observables, runs: Sequence[Recipe]) -> Quantity:
        risk = Risk.model_validate({"split": split})
        errors = column([Reading(measure=risk, state=final(run)) for run in runs], "error")
        return errors.map(lambda error: 100 * (1 - error))

    return make


def _end_gap(seen: Observables, runs: Sequence[Recipe]) -> Quantity:
    return _end("train")(seen, runs) - _end("test")(seen, runs)


def _train_at_moment(seen: Observables, runs: Sequence[Recipe]) -> Quantity:
    step = runs[0].clock().steps(seen.moment)
    return each(partial(accuracy_at, step=step), [seen.accuracy(run, "train") for run in runs])


def _gone(count: str) -> Maker:
    return lambda seen, runs: column(
        [Reading(measure=UnitsGone(), state=final(run)) for run in runs], count
    )


def _positive(seen: Epochs) -> float:
    return seen.mean_drop(positive=True)


def _train_at_best(test: Epochs, train: Epochs) -> float:
    return float(train.after[test.best()])


QUANTITIES: Mapping[str, tuple[str, Maker]] = MappingProxyType(
    {
        # t_post / t_pre of an event, mean over events; 100 without any. Source: 2020, Figure 1.
        "mean_stability": ("mean stability, %", _test(Epochs.mean_stability)),
        # t_pre - t_post of an event. Source: 2019, section 3.1; over falls only in Figure 1 left.
        "mean_drop": ("mean drop in test accuracy, percentage points", _test(Epochs.mean_drop)),
        "mean_positive_drop": (
            "mean drop over events that cost accuracy, percentage points",
            _test(_positive),
        ),
        "worst_drop": ("largest drop of an event, percentage points", _test(Epochs.worst_drop)),
        # Accuracy of the epoch before the last event's minus that right after it. Source: 2019, Figure A2.
        "last_drop": ("drop at the last event, percentage points", _test(Epochs.last_drop)),
        # The same with statistics estimated anew. The last drop is then t_pre - t_post: a trace of events has no others.
        "recalibrated_stability": (f"mean stability {ANEW}, %", _anew(Epochs.mean_stability)),
        "recalibrated_drop": (f"mean drop {ANEW}, percentage points", _anew(Epochs.mean_drop)),
        "recalibrated_positive_drop": (
            f"mean drop over events that cost accuracy {ANEW}, percentage points",
            _anew(_positive),
        ),
        "recalibrated_worst_drop": (
            f"largest drop of an event {ANEW}, percentage points",
            _anew(Epochs.worst_drop),
        ),
        "recalibrated_last_drop": (
            f"drop at the last event against just before it {ANEW}, percentage points",
            _anew(Epochs.drop_at_last),
        ),
        # Highest t_post from the last event on: selected on the test set. Source: 2020, the authors' code.
        "best": ("best test accuracy after the last event, %", _test(Epochs.best_accuracy)),
        "final": ("test accuracy after the last epoch, %", _test(Epochs.final_accuracy)),
        "test": ("test accuracy at the end, whole test set, %", _end("test")),
        "train": ("training accuracy at the end, %", _end("train")),
        # Differs from the source, which takes it of augmented batches while they train: here it is measured.
        "train_at_best": ("training accuracy at the best epoch, %", _both(_train_at_best)),
        "train_at_moment": ("training accuracy where flatness is measured, %", _train_at_moment),
        "gap": (
            "generalization gap at the best epoch, percentage points",
            _both(lambda test, train: _train_at_best(test, train) - test.best_accuracy()),
        ),
        "final_gap": (
            "generalization gap after the last epoch, percentage points",
            _both(lambda test, train: train.final_accuracy() - test.final_accuracy()),
        ),
        "end_gap": ("generalization gap at the end, percentage points", _end_gap),
        "recovery": ("epochs until accuracy is back, events without recovery left out", _test(Epochs.mean_recovery)),
        "recovered": ("events after which accuracy comes back, %", _test(Epochs.recovered)),
        "recovered_soon": (
            f"events after which accuracy is back within {SOON} epochs, %",
            _test(lambda seen: seen.recovered(within=SOON)),
        ),
        "own": ("parameters of removed filters, % of all", _gone("own")),
        "structural": ("parameters that the smaller network lacks, % of all", _gone("structural")),
    }
)
"""Every quantity of a run with the label of its axis; t_pre and t_post are test accuracy before and after an event."""
RECALIBRATED: Mapping[str, str] = MappingProxyType(
    {
        "mean_stability": "recalibrated_stability",
        "mean_drop": "recalibrated_drop",
        "mean_positive_drop": "recalibrated_positive_drop",
        "worst_drop": "recalibrated_worst_drop",
        "last_drop": "recalibrated_last_drop",
    }
)
"""Quantities of events, and what they are called with BatchNorm statistics estimated anew."""
STABILITIES = ("mean_stability", "recalibrated_stability")


def label(quantity: str) -> str:
    """The axis label of a quantity; a measure is called by its own name."""
    return QUANTITIES[quantity][0] if quantity in QUANTITIES else quantity


@dataclass(frozen=True)
class Comparison:
    """Arms under the same observables; the first is the one that is not pruned."""

    arms: tuple[Arm, ...]
    _: KW_ONLY
    observables: Observables = Observables()

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(
                f"two arms are called {', '.join(twice)}: schedules were cut until they became one; compress less"
            )

    @cached_property
    def by_name(self) -> Mapping[str, Arm]:
        """The arms by name."""
        return {arm.name: arm for arm in self.arms}

    @property
    def pruned(self) -> tuple[str, ...]:
        """The names of all arms but the first."""
        return tuple(arm.name for arm in self.arms[1:])

    def runs(self, name: str) -> tuple[Recipe, ...]:
        """The runs of an arm. Raises UsageError for an arm that is not there."""
        if name not in self.by_name:
            raise UsageError(f"there is no arm {name!r}; there are {', '.join(self.by_name)}")
        return self.by_name[name].runs

    def value(self, name: str, quantity: str) -> Quantity:
        """A quantity of the runs of the arm called `name`, [R]: a name in `QUANTITIES`, or one of a measure."""
        runs = self.runs(name)
        if measured := self.observables.measures.get(quantity):
            readings = self.readings(name, quantity)
            if isinstance(measured.value, str):
                return column(readings[0], measured.value, label=name, unit=quantity)
            return each(measured.value, *readings, label=name, unit=quantity)
        if quantity not in QUANTITIES:
            known = ", ".join((*QUANTITIES, *self.observables.measures))
            raise UsageError(f"there is no quantity {quantity!r}; there are {known}")
        unit, make = QUANTITIES[quantity]
        return make(self.observables, runs).named(name, unit)

    def gap(self, name: str, over: str, quantity: str = "best") -> Quantity:
        """A quantity of one arm minus that of another at the same seeds, [R]."""
        return self.value(name, quantity) - self.value(over, quantity)

    def all(self, quantities: Iterable[str], *, arms: Sequence[str] = ()) -> Quantity:
        """Several quantities of several arms one after the other; no arms named means all."""
        parts = [self.value(name, quantity) for name in arms or self.by_name for quantity in quantities]
        return combined(lambda *values: np.concatenate(values), *parts)

    def readings(self, name: str, measure: str) -> list[list[Reading]]:
        """What a measure's number is made of: one reading a run, for each of its measures."""
        measures = self.observables.measures[measure].measures
        return [[self.observables.reading(run, part) for run in self.runs(name)] for part in measures]

    def measures(self, *quantities: str) -> bool:
        """Whether all of these are measured: without `recalibration` nothing is known of statistics anew."""
        return bool(self.observables.recalibration) or not set(RECALIBRATED.values()) & set(quantities)

    def with_recalibrated(self, quantities: Iterable[str]) -> list[str]:
        """These quantities, each followed by what it is with BatchNorm statistics estimated anew, if it is measured."""
        listed: dict[str, None] = {}
        for quantity in quantities:
            again = RECALIBRATED.get(quantity, quantity)
            listed |= {quantity: None} | ({again: None} if self.measures(again) else {})
        return list(listed)

    def points(
        self, results: Results, x: str, y: str, *, arms: Sequence[str] = (), given: Sequence[str] = ()
    ) -> Points:
        """One point a run; no arms named means all. given: quantities that are held fixed."""
        names = list(arms or self.by_name)
        values = [self.all([part], arms=names)(results) for part in (x, y, *given)]
        labels = [(name, seed) for name in names for seed in range(len(self.runs(name)))]
        return Points(
            values[0], values[1], tuple(n for n, _ in labels), tuple(s for _, s in labels), tuple(values[2:])
        )

    def nodes(self, *quantities: str, arms: Sequence[str] = ()) -> tuple[Node, ...]:
        """What quantities of arms are read from; no arms named means all."""
        return nodes_of([self.all(quantities, arms=arms)])

    def correlation(
        self,
        x: str,
        y: str,
        statistic: Statistic = correlation.r,
        *,
        arms: Sequence[str] = (),
        given: Sequence[str] = (),
        unit: str = "Pearson's correlation",
    ) -> Quantity:
        """A statistic of the points of all runs as jackknife pseudo-values, one a replicate: [R]."""
        return Quantity(
            "",
            f"jackknife pseudo-values, one a replicate, of {unit}",
            self.nodes(x, y, *given, arms=arms),
            lambda results: correlation.pseudo_values(
                self.points(results, x, y, arms=arms, given=given), statistic
            ),
        )
