"""A recipe: everything that can change the result of a run."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from prunescope.base.errors import UsageError
from prunescope.base.importing import Importing
from prunescope.base.reference import StateRef
from prunescope.base.steps import Clock, Duration
from prunescope.base.streams import Seeds
from prunescope.base.value import Value
from prunescope.tasks.task import Task
from prunescope.training.interventions import Intervention
from prunescope.training.loop import Precision, steps_an_epoch
from prunescope.training.optim import Optimizer
from prunescope.training.samplers import Sampler
from prunescope.training.schedules import Schedule
from prunescope.training.stopping import AtEnd, Stop

NO_TRAINING = "this is no training; give epochs ('40ep') or iterations ('500it')"


class Fresh(Value):
    """Start from newly initialized weights, all of them kept."""


class Everything(Value):
    """Train on the whole training split."""


class Subset(Importing):
    """Train on the rows of the training split that `rule` picks from what `source` measured.

    source: a reading or a combination.
    rule: import path of a function (values, **args) -> int64 rows [M].
    args: its other arguments.
    """

    path_field: ClassVar[str] = "rule"

    source: Value
    rule: str
    args: dict[str, float | int | str | bool] = {}


class Recipe(Value):
    """One run: what is trained, how, from where, and what happens to its weights.

    task: network, data and loss.
    batch: examples a step.
    length: the full learning-rate schedule.
    begin: the position in it at which this run starts (a rewind).
    stop: when training ends.
    interventions: what changes its weights, in the order in which they act at one position.
    start: fresh weights, or a state of another run.
    examples: all training examples, or a subset.
    seeds: of labels, initial weights, order and masks.
    drop_last: whether an epoch leaves out its last batch where that would be smaller than the others.
    sampler: which examples an epoch sees, and how often; None stands for each once.
    """

    by_id: ClassVar[bool] = True
    added: ClassVar[frozenset[str]] = frozenset({"drop_last", "sampler"})
    field_hints: ClassVar[Mapping[str, str]] = {
        "seeds": "give ps.Seeds(init=0, order=0), or ps.replicate(0)",
        "interventions": "give interventions in a tuple, as in (ps.Prune(score=ps.Random()),); a score belongs in one",
    }

    task: Task
    optimizer: Optimizer
    schedule: Schedule
    batch: int = Field(ge=1)
    length: Duration
    begin: Duration = "0it"
    stop: Stop = AtEnd()
    precision: Precision = "float32"
    interventions: tuple[Intervention, ...] = ()
    start: Fresh | StateRef = Fresh()
    examples: Everything | Subset = Everything()
    seeds: Seeds = Seeds()
    drop_last: bool = False
    sampler: Sampler | None = None

    @field_validator("length")
    @classmethod
    def _trains(cls, length: str) -> str:
        if length.endswith("%") or not float(length[:-2]):
            raise ValueError(NO_TRAINING)
        return length

    @property
    def train_examples(self) -> int:
        """Number of training examples; for a subset that is not resolved yet, the most it can be."""
        return self.task.data.train_examples

    def clock(self, examples: int | None = None) -> Clock:
        """Converts this recipe's durations; examples: the resolved number of training examples.

        Raises UsageError when an epoch or the schedule is empty, or when it begins after its end.
        """
        examples = examples or self.train_examples
        epoch_steps = steps_an_epoch(examples, self.batch, drop_last=self.drop_last)
        if epoch_steps < 1:
            raise UsageError(
                f"batch={self.batch} with drop_last=True leaves no batch of {examples} training examples; "
                f"use a batch of at most {examples}, or drop_last=False"
            )
        length = Clock(epoch_steps, 0).steps(self.length)
        if length < 1:
            raise UsageError(f"length={self.length!r}: {NO_TRAINING}")
        clock = Clock(epoch_steps, length)
        if clock.steps(self.begin) > length:
            raise UsageError(f"begin={self.begin!r} lies after length={self.length!r}; rewind to an earlier position")
        return clock

    @property
    def steps(self) -> int:
        """The most steps this run takes."""
        clock = self.clock()
        return clock.total - clock.steps(self.begin)


def level_of(recipe: Recipe) -> int:
    """How many runs a run continues, one after the other: the level of a chain of pruning, 0 from scratch."""
    level = 0
    while isinstance(recipe.start, StateRef) and isinstance(recipe.start.run, Recipe):
        recipe, level = recipe.start.run, level + 1
    return level
