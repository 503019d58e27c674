"""What all networks of an audit answer to the same examples, side by side.

Belongs here: lining readings up, and refusing what does not line up. Does not belong here: any statistics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.value import array_digest
from prunescope.measures.answers import brier, negative_log_likelihood
from prunescope.measures.measure import SplitName
from prunescope.runs.graph.given import task_of
from prunescope.studies.paired import Flags

COPY = 1e-4
"""Two dense networks whose probabilities differ by less on average are copies of one, rounded or disturbed."""
SPARSER = 0.1
"""Share of weights by which a twin may be sparser than the dense network, as units that died make it."""
Labels = NDArray[np.int64]
Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Answers:
    """What one network answers.

    name: as the report calls it. log_probability: float32 [N, C]. label: int64 [N]. sparsity: a fraction of the dense
    network's prunable weights.
    """

    name: str
    log_probability: NDArray[np.float32]
    label: Labels
    sparsity: float = float("nan")

    @cached_property
    def digest(self) -> str:
        """Of the predictions: what draws are keyed by, so that no name or origin of a network changes an interval."""
        return array_digest(self.prediction)

    @cached_property
    def prediction(self) -> Labels:
        """The most probable class, [N]."""
        return np.asarray(self.log_probability.argmax(axis=1))

    @cached_property
    def wrong(self) -> Flags:
        """Whether that is not the label, [N]."""
        return np.asarray(self.prediction != self.label)

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of the prediction, [N]."""
        return np.asarray(np.exp(self.log_probability.max(axis=1).astype(np.float64)))

    @cached_property
    def loss(self) -> NDArray[np.float64]:
        """Negative log likelihood, nats, [N]."""
        return negative_log_likelihood(self.log_probability, self.label)

    @cached_property
    def brier(self) -> NDArray[np.float64]:
        """Brier score, [N]."""
        return brier(self.log_probability, self.label)


@dataclass(frozen=True)
class Column:
    """A grouping of the examples: names of the groups [G], and which of them each example is in, int64 [N]."""

    names: tuple[str, ...]
    codes: Labels


@dataclass(frozen=True, eq=False)
class Evidence:
    """All networks' answers to one set of examples.

    dense, pruned, twins: the network audited, what pruning made of it, other seeds of the dense one.
    controls: networks that were treated like the pruned ones without pruning, or that are small without it.
    index: places in the source, [N].
    classes: their names. groups: the user's columns by name.
    neighbours: places of the nearest examples in the other half, int64 [N, K].
    """

    dense: Answers
    pruned: tuple[Answers, ...]
    twins: tuple[Answers, ...]
    index: Labels
    classes: tuple[str, ...]
    groups: Mapping[str, Column]
    neighbours: Labels
    controls: tuple[Answers, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    @property
    def label(self) -> Labels:
        """The labels used, [N]."""
        return self.dense.label

    @property
    def seeds(self) -> tuple[Answers, ...]:
        """All dense networks, the audited one first."""
        return (self.dense, *self.twins)

    @cached_property
    def dense_wrong(self) -> Flags:
        """Which dense networks are wrong on which example, [D, N]."""
        return np.stack([seed.wrong for seed in self.seeds])


def check_inputs(states: Mapping[str, StateRef], split: SplitName) -> None:
    """Raises UsageError unless the data sets of all states hold the same inputs, in the same order.

    states: the dense network's first. Only data sets of another id are compared.
    """
    (first, dense), *others = states.items()
    known = task_of(dense).data.source
    part = "test_x" if split == "test" else "train_x"
    for name, state in others:
        source = task_of(state).data.source
        if source.id == known.id:
            continue
        one, two = (getattr(data.load(), part) for data in (known, source))
        rows = [torch.arange(at, min(at + 1024, len(one))) for at in range(0, len(one), 1024)]
        if one.shape != two.shape or not all(torch.equal(one.take(at), two.take(at)) for at in rows):
            raise UsageError(
                f"{name!r} comes with other {split} inputs than {first!r}; an audit needs the same examples: give both "
                "networks the same data set"
            )


def answers(name: str, outputs: Values, sparsity: float, like: Values) -> Answers:
    """One network's answers. like: the outputs of the dense network, to which they have to belong.

    Raises UsageError for another number of classes, and for other examples or another order of them.
    """
    for part in ("index", "label"):
        first, other = like[part], outputs[part]
        if len(first) != len(other) or (first != other).any():
            where = "" if len(first) != len(other) else f", first at place {int((first != other).argmax())}"
            raise UsageError(
                f"{name!r} is held against {len(other)} examples and the dense network against {len(first)}, and they "
                f"differ in {part}{where}; an audit needs the same examples in the same order"
            )
    ours, theirs = outputs["log_probability"].shape[1], like["log_probability"].shape[1]
    if ours != theirs:
        raise UsageError(f"{name!r} has {ours} outputs and the dense network {theirs}; they answer other questions")
    return Answers(name, outputs["log_probability"], outputs["label"], sparsity)


def check_seeds(seeds: Sequence[Answers]) -> None:
    """Raises UsageError if two dense networks are one and the same, or one is sparse: they say nothing of a seed."""
    for twin in seeds[1:]:
        if twin.sparsity > seeds[0].sparsity + SPARSER:
            raise UsageError(
                f"{twin.name!r} has {100 * twin.sparsity:.1f} % fewer weights than the dense network has, so it is no "
                "twin of it; a twin is trained like the dense network, with another seed"
            )
    for first, other in combinations(seeds, 2):
        apart = float(np.abs(np.exp(first.log_probability) - np.exp(other.log_probability)).mean())
        if apart < COPY:
            raise UsageError(
                f"{other.name!r} gives the same outputs as {first.name!r} (probabilities differ by {apart:.1g}): it is "
                "the same network, not another seed of it; give one that was trained with another seed, or leave it out"
            )


def check_name(name: str) -> None:
    """Raises UsageError for a column of groups whose name the report needs itself."""
    if not isinstance(name, str) or name in ("all", "class", "difficulty") or " × " in name or not name.strip():
        raise UsageError(f"groups cannot be called {name!r}, as the report calls its own; choose another name")


def column(name: str, values: ArrayLike, examples: int) -> Column:
    """A user's column. values: a text or a whole number an example, [N].

    Raises UsageError for another length, missing values, floating numbers, a single group and groups of one example.
    """
    check_name(name)
    given = np.asarray(values, dtype=object if isinstance(values, Sequence) else None)
    if given.shape != (examples,):
        raise UsageError(f"groups[{name!r}] has shape {given.shape} for {examples} examples; give one an example")
    whole, known = (str, int, np.integer, np.bool_), np.ones(examples, dtype=bool)
    if isinstance(values, np.ma.MaskedArray):
        known &= ~np.ma.getmaskarray(values)
    if given.dtype.kind == "O":
        known &= [isinstance(one, whole) for one in given]
    if not known.all():
        raise UsageError(
            f"groups[{name!r}] has no text or whole number for {(~known).sum()} examples, the first at place "
            f"{known.argmin()} ({given[known.argmin()]!r}); give what is missing a name of its own, such as 'unknown'"
        )
    if given.dtype.kind not in "biuUO":
        raise UsageError(
            f"groups[{name!r}] is {given.dtype}; give a text or a whole number an example (a missing one turns whole "
            "numbers into floating ones)"
        )
    groups, codes, counts = np.unique(given.astype(str), return_inverse=True, return_counts=True)
    if len(groups) < 2:
        raise UsageError(f"groups[{name!r}] has the group {str(groups[0])!r} only; give two groups or leave it out")
    if (counts < 2).any():
        single = [str(group) for group in groups[counts < 2]]
        shown = ", ".join(map(repr, single[:3])) + (", ..." if len(single) > 3 else "")
        raise UsageError(
            f"groups[{name!r}] has {len(single)} groups of one example ({shown}), of which nothing can be said; merge "
            "them into others"
        )
    return Column(tuple(map(str, groups)), codes.astype(np.int64).reshape(-1))
