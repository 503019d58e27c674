"""Arms of runs that differ in how they are pruned, and what is looked at in each run.

Belongs here: which traces and readings a comparison needs, and lining them up over replicates. Does not belong here:
figures (`views.py`), claims (`statements.py`), how an arm prunes (`pruning.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.steps import Duration
from prunescope.base.streams import replicate
from prunescope.base.value import Value
from prunescope.measures import Measure, Risk, UnitsGone
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Combined, Reading, Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.correlation import Points
from prunescope.studies.results import Numbers, Results, column
from prunescope.training.epoch_probes import EpochAccuracy, Limit, RecalibratedAccuracy

RECALIBRATED: Mapping[str, str] = {
    "recalibrated_stability": "mean_stability",
    "recalibrated_drop": "mean_drop",
    "recalibrated_positive_drop": "mean_positive_drop",
    "recalibrated_worst_drop": "worst_drop",
    "recalibrated_last_drop": "last_drop",
}
"""Quantities of events with BatchNorm statistics estimated anew, and what they are called without.

The last drop is then against the accuracy just before that event, not against the epoch before, which nobody looks at
anew."""

STABILITIES = ("mean_stability", "recalibrated_stability")


@dataclass(frozen=True)
class Arm:
    """One way to prune; its runs differ by their seeds only.

    rate: the largest share of a layer's original size that goes at one event, percent; 0 where nothing goes while
    the network trains.
    """

    name: str
    runs: tuple[Recipe, ...]
    rate: float = 0.0


def arm(name: str, recipe: Recipe, replicates: int, *, rate: float = 0.0) -> Arm:
    """An arm of one recipe under the seeds of replicates 0 to `replicates` - 1."""
    return Arm(name, tuple(recipe.replace(seeds=replicate(number)) for number in range(replicates)), rate)


@dataclass(frozen=True)
class Look:
    """What is looked at in every run of a comparison.

    test, train: how many examples of each split after every epoch; the whole splits are read at the end.
    recalibration: training batches behind the estimate of BatchNorm statistics around events; 0 leaves that out.
    units: whether it is counted how many parameters went with units, at the end.
    measures: by name, a measure and which of its values; taken at `moment`, the end of an epoch. combined: by name,
    the path of a function of readings, the names of the measures it takes, and which of its values.
    """

    test: Limit = "all"
    train: Limit = "all"
    recalibration: int = 0
    units: bool = False
    measures: Mapping[str, tuple[Measure, str]] = field(default_factory=dict)
    combined: Mapping[str, tuple[str, tuple[str, ...], str]] = field(default_factory=dict)
    moment: Duration = "100%"


@dataclass(frozen=True)
class Comparison:
    """Arms under one look; the first is the one that is not pruned."""

    arms: tuple[Arm, ...]
    _: KW_ONLY
    look: Look = Look()

    def __post_init__(self) -> None:
        names = [one.name for one in self.arms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(
                f"two arms are called {', '.join(twice)}: schedules were cut until they became one; compress less"
            )

    @property
    def nodes(self) -> list[Value]:
        """Everything to be computed."""
        return list(
            {node.id: node for one in self.arms for run in one.runs for node in self._of(run)}.values()
        )

    def _of(self, run: Recipe) -> list[Value]:
        nodes: list[Value] = [
            self.test(run),
            self.train(run),
            self.risk(run, "test"),
            self.risk(run, "train"),
        ]
        nodes += [self.recalibrated(run)] if self.look.recalibration else []
        nodes += [self.units(run)] if self.look.units else []
        return nodes + [self.reading(run, name) for name in self.look.measures]

    def test(self, run: Recipe) -> Trace:
        """Test accuracy around the end of every epoch."""
        return Trace(probe=EpochAccuracy(split="test", limit=self.look.test), run=run)

    def train(self, run: Recipe) -> Trace:
        """Training accuracy around the end of every epoch."""
        return Trace(probe=EpochAccuracy(split="train", limit=self.look.train), run=run)

    def recalibrated(self, run: Recipe) -> Trace:
        """Test accuracy around events, BatchNorm statistics estimated anew."""
        probe = RecalibratedAccuracy(
            limit=self.look.test, batches=self.look.recalibration, batch=max(2, run.batch)
        )
        return Trace(probe=probe, run=run)

    def risk(self, run: Recipe, split: str) -> Reading:
        """Error on a whole split at the end."""
        return Reading(measure=Risk.model_validate({"split": split}), state=final(run))

    def units(self, run: Recipe) -> Reading:
        """Parameters that went with units, at the end."""
        return Reading(measure=UnitsGone(), state=final(run))

    def reading(self, run: Recipe, name: str) -> Reading:
        """A measure at the moment of the look."""
        measure, _ = self.look.measures[name]
        return Reading(
            measure=measure, state=StateRef(run=run, moment=Moment(when="step", at=self.look.moment))
        )

    def summary(self, run: Recipe) -> Combined:
        """What `events.summary` says of a run."""
        inputs = (self.test(run), self.train(run))
        return Combined(function="prunescope.studies.events:summary", inputs=inputs)

    @cached_property
    def by_name(self) -> Mapping[str, Arm]:
        """The arms by name."""
        return {one.name: one for one in self.arms}

    def looks_at(self, *quantities: str) -> bool:
        """Whether runs are looked at for all of these: without `recalibration` nothing is known of statistics anew."""
        return bool(self.look.recalibration) or not RECALIBRATED.keys() & set(quantities)

    def values(self, results: Results, name: str, quantity: str) -> Numbers:
        """A quantity of the runs of the arm called `name`, [R].

        quantity: a value of `events.summary`; "test" or "train", accuracy on the whole split at the end, percent;
        "end_gap", the latter minus the former; "train_at_moment", training accuracy at the look's moment, percent;
        "recalibrated_stability", percent, and "recalibrated_drop" and its like, points, see `RECALIBRATED`; "own" and
        "structural", percent of the parameters that are gone, see `UnitsGone`; or the name of a measure or
        combination of the look.

        Raises UsageError for an arm that is not there.
        """
        if name not in self.by_name:
            raise UsageError(f"there is no arm {name!r}; there are {', '.join(self.by_name)}")
        runs = self.by_name[name].runs
        if quantity in ("test", "train"):
            return 100 * (1 - column(results, [self.risk(run, quantity) for run in runs], name="error"))
        if quantity == "end_gap":
            return self.values(results, name, "train") - self.values(results, name, "test")
        if quantity in self.look.measures:
            readings = [self.reading(run, quantity) for run in runs]
            return column(results, readings, name=self.look.measures[quantity][1])
        if quantity in self.look.combined:
            function, parts, value = self.look.combined[quantity]
            inputs = [tuple(self.reading(run, part) for part in parts) for run in runs]
            return column(results, [Combined(function=function, inputs=one) for one in inputs], name=value)
        if quantity in ("own", "structural"):
            return column(results, [self.units(run) for run in runs], name=quantity)
        if quantity in RECALIBRATED:
            function = "prunescope.studies.events:stability"
            looks = [Combined(function=function, inputs=(self.recalibrated(run),)) for run in runs]
            return column(results, looks, name=RECALIBRATED[quantity])
        if quantity == "train_at_moment":
            function, step = "prunescope.studies.events:accuracy_at", runs[0].clock().steps(self.look.moment)
            looks = [
                Combined(function=function, inputs=(self.train(run),), args={"step": step}) for run in runs
            ]
            return column(results, looks, name="accuracy")
        return column(results, [self.summary(run) for run in runs], name=quantity)

    def points(
        self, results: Results, x: str, y: str, *, arms: Sequence[str] = (), given: Sequence[str] = ()
    ) -> Points:
        """One point a run; no arms named means all. given: quantities that are held fixed."""
        names = list(arms or self.by_name)
        left, right, *fixed = (
            np.concatenate([self.values(results, name, quantity) for name in names])
            for quantity in (x, y, *given)
        )
        labels = [(name, seed) for name in names for seed in range(len(self.by_name[name].runs))]
        return Points(
            left, right, tuple(name for name, _ in labels), tuple(seed for _, seed in labels), tuple(fixed)
        )

    def gain(self, results: Results, name: str, quantity: str = "best", *, over: str = "") -> Numbers:
        """A quantity of one arm minus that of another (by default the first) at the same seeds, [R]."""
        return self.values(results, name, quantity) - self.values(
            results, over or self.arms[0].name, quantity
        )
