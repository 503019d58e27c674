"""Lining up what networks answer to the same examples, and refusing what does not line up."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.measures.answers import Answers
from prunescope.measures.measure import SplitName
from prunescope.runs.graph.given import task_of

COPY = 1e-4
"""Two dense networks whose probabilities differ by less on average are copies of one, rounded or disturbed."""
SPARSER = 0.1
"""Share of weights by which a twin may be sparser than the dense network, as units that died make it."""
Values = Mapping[str, NDArray[Any]]


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
    return Answers(outputs["log_probability"], outputs["label"], name, sparsity)


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
