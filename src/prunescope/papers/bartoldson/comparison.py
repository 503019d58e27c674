"""Arms of runs, compared by what is measured in each: values, gaps at equal seeds, correlations over all runs.

Belongs here: quantities lined up over replicates, and what must hold before they say anything. Does not belong here:
what is measured (`quantities.py`), which arms there are (`arms.py`), what is claimed (the file of each figure).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property

import numpy as np

import prunescope as ps
from prunescope.papers.bartoldson.quantities import QUANTITIES, RECALIBRATED, Observables
from prunescope.studies import correlation
from prunescope.studies.correlation import Points, Statistic
from prunescope.studies.results import Node

MOVES: Mapping[str, float] = {"mean_stability": 1.0, "recalibrated_stability": 1.0, "mean_drop": 1.0}
"""By how many points the means of arms must differ for a correlation with it to mean anything; of other quantities any
spread will do. Proposed here."""
FITS = 99.9
"""Training accuracy, percent, that counts as 100; proposed here."""


@dataclass(frozen=True)
class Arm:
    """One way to prune; its runs differ by their seeds only."""

    name: str
    runs: tuple[ps.Recipe, ...]


def arm(name: str, recipe: ps.Recipe, replicates: int) -> Arm:
    """An arm of one recipe under the seeds of replicates 0 to `replicates` - 1."""
    return Arm(name, tuple(ps.replicates(recipe, replicates)))


@dataclass(frozen=True)
class Compared(ps.Quantity):
    """A quantity of some arms.

    needs: what must hold before a claim on it is judged.
    points: of Pearson's correlation over runs, the runs; the papers' rule is about these.
    """

    needs: tuple[ps.Precondition, ...] = ()
    points: Callable[[ps.Results], Points] | None = None


@dataclass(frozen=True)
class Comparison:
    """Arms under the same observables; the first is the one that is not pruned."""

    arms: tuple[Arm, ...]
    _: KW_ONLY
    observables: Observables = field(default_factory=Observables)

    def __post_init__(self) -> None:
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise ps.UsageError(
                f"two arms are called {', '.join(twice)}: schedules were cut until they became one; compress less"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the arms."""
        return tuple(arm.name for arm in self.arms)

    def only(self, *names: str) -> "Comparison":
        """Some of the arms. Raises UsageError for an arm that is not there."""
        if unknown := [name for name in names if name not in self.names]:
            raise ps.UsageError(f"there is no arm {unknown[0]!r}; there are {', '.join(self.names)}")
        by_name = {arm.name: arm for arm in self.arms}
        return replace(self, arms=tuple(by_name[name] for name in dict.fromkeys(names)))

    @property
    def pruned(self) -> "Comparison":
        """All arms but the first."""
        return replace(self, arms=self.arms[1:])

    def recipes(self, name: str) -> tuple[ps.Recipe, ...]:
        """The runs of an arm."""
        return self.only(name).arms[0].runs

    def readings(self, name: str, measure: str) -> list[list[ps.Reading]]:
        """What a measure's number is made of: one reading a run, for each of its measures."""
        measures = self.observables.measures[measure].measures
        return [[self.observables.reading(run, part) for run in self.recipes(name)] for part in measures]

    def value(self, name: str, quantity: str) -> Compared:
        """A quantity of the runs of the arm called `name`, [R]: a name in `QUANTITIES`, or one of a measure."""
        return Compared(**vars(self._value(name, quantity)), needs=(self.only(name).fits(quantity),))

    def _value(self, name: str, quantity: str) -> ps.Quantity:
        if measured := self.observables.measures.get(quantity):
            first, *others = self.readings(name, quantity)
            if isinstance(measured.value, str):
                return ps.column(first, measured.value, label=name, unit=quantity)
            return ps.each(measured.value, first, *others, label=name, unit=quantity)
        if quantity not in QUANTITIES:
            known = ", ".join((*QUANTITIES, *self.observables.measures))
            raise ps.UsageError(f"there is no quantity {quantity!r}; there are {known}")
        unit, make = QUANTITIES[quantity]
        return make(self.observables, self.recipes(name)).named(name, unit)

    def values(self, quantity: str) -> ps.Quantity:
        """A quantity of every arm: [R, arms]."""
        return ps.side_by_side([self._value(name, quantity).named("") for name in self.names])

    def over_runs(self, *quantities: str) -> ps.Quantity:
        """Quantities of all runs, arm by arm: [runs of all arms, quantities]."""
        parts = [self._value(name, quantity) for name in self.names for quantity in quantities]
        shape = (len(self.names), len(quantities), -1)

        def table(*values: ps.Numbers) -> ps.Numbers:
            return np.stack(values).reshape(shape).transpose(0, 2, 1).reshape(-1, len(quantities))

        return ps.combined(table, *parts)

    def gap(self, name: str, over: str, quantity: str = "best") -> Compared:
        """A quantity of one arm minus that of another at the same seeds, [R]."""
        gap = self._value(name, quantity) - self._value(over, quantity)
        return Compared(**vars(gap), needs=(self.only(name, over).fits(quantity),))

    def points(self, results: ps.Results, x: str, y: str, *given: str) -> Points:
        """One point a run. given: quantities that are held fixed."""
        first, second, *fixed = self.over_runs(x, y, *given)(results).T
        labels = [(arm.name, seed) for arm in self.arms for seed in range(len(arm.runs))]
        names, seeds = zip(*labels, strict=True)
        return Points(first, second, names, seeds, tuple(fixed))

    def nodes(self, *quantities: str) -> tuple[Node, ...]:
        """What quantities of the arms are read from."""
        return self.over_runs(*quantities).nodes

    def correlation(
        self,
        x: str,
        y: str,
        statistic: Statistic = correlation.r,
        *,
        given: Iterable[str] = (),
        unit: str = "Pearson's correlation",
    ) -> Compared:
        """A statistic of the points of all runs as jackknife pseudo-values, one a replicate: [R]."""

        def points(results: ps.Results) -> Points:
            return self.points(results, x, y, *given)

        return Compared(
            "",
            f"jackknife pseudo-values, one a replicate, of {unit}",
            self.nodes(x, y, *given),
            lambda results: correlation.pseudo_values(points(results), statistic),
            (self.fits(x, y), self.moves(x)),
            points if statistic is correlation.r else None,
        )

    def measures(self, *quantities: str) -> bool:
        """Whether all of these are measured: without `recalibration` nothing is known of statistics anew."""
        return bool(self.observables.recalibration) or not set(RECALIBRATED.values()) & set(quantities)

    def with_recalibrated(self, quantities: Iterable[str]) -> tuple[str, ...]:
        """These quantities, each followed by what it is with BatchNorm statistics estimated anew, if it is measured."""
        both = [name for quantity in quantities for name in (quantity, RECALIBRATED.get(quantity, quantity))]
        return tuple(dict.fromkeys(filter(self.measures, both)))

    def fits(self, *quantities: str) -> ps.Precondition:
        """Every run fits its training set in the states that these quantities are of; by default at the end.

        Source: Bartoldson et al. 2020, section 2 ("all training accuracies at the time of evaluation are 100%").
        """
        states = {"best": "train_at_best", "gap": "train_at_best"}
        states |= dict.fromkeys(self.observables.measures, "train_at_moment")
        where = sorted({states.get(quantity, "train") for quantity in quantities or ("train",)})
        accuracies = [self._value(name, state) for name in self.names for state in where]
        return ps.Precondition(
            "every network fits its training set where it is evaluated",
            ps.combined(lambda *values: np.concatenate(values), *accuracies, unit="% training accuracy"),
            at_least=FITS,
        )

    def moves(self, x: str = "mean_stability") -> ps.Precondition:
        """Arms differ in x by enough for a correlation with it to mean anything, see `MOVES`."""

        def spread(values: ps.Numbers) -> float:
            centres = values[:, np.isfinite(values).all(axis=0)].mean(axis=0)
            return float(np.ptp(centres)) if len(centres) else 0.0

        return ps.Precondition(
            f"arms differ in {x.replace('_', ' ')}",
            self.values(x).map(spread, unit="between arms' means"),
            at_least=MOVES.get(x, 1e-9),
        )
