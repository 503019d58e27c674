"""What several readings say together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.measures.measure import Values


def mean(values: Sequence[Values]) -> dict[str, NDArray[Any]]:
    """The mean of every value over readings of one kind, in float64: an ensemble's score.

    Raises UsageError for readings that have different values or shapes, or are of different examples.
    """
    shapes = {str({name: np.shape(array) for name, array in reading.items()}) for reading in values}
    if len(shapes) != 1:
        raise UsageError(f"readings of {len(shapes)} kinds have no mean ({'; '.join(sorted(shapes))})")
    _of_the_same_examples(values)
    return {name: np.mean([reading[name] for reading in values], axis=0) for name in values[0]}


def difference(values: Sequence[Values]) -> dict[str, NDArray[Any]]:
    """The first reading's per-example losses minus the second's: {"difference": float64 [N], nats}."""
    first, second = _of_the_same_examples(values)
    return {"difference": first["loss"].astype(np.float64) - second["loss"]}


def not_given_up(values: Sequence[Values]) -> dict[str, NDArray[np.bool_]]:
    """Which examples pruning does not give up, from `Examples` of the dense and the pruned network: {"kept": [N]}.

    Given up is what the dense network gets right and the pruned one does not.
    """
    dense, pruned = (value["correct"] for value in _of_the_same_examples(values))
    return {"kept": ~(dense & ~pruned)}


def forgetting(values: Sequence[Values]) -> dict[str, NDArray[Any]]:
    """How often each example was forgotten, from `Examples` readings of one run in the order of its training.

    forgotten: int64 [N], times that an example was right in one reading and wrong in the next. learned: bool [N],
    whether it was ever right. last: bool [N], whether it is right in the last reading.

    Source: Toneva et al. 2019, section 3 (forgetting events).
    Differs from the source: examples are looked at where states were kept (say, after every epoch), in evaluation
    mode, not when they come up in a batch.
    """
    correct = np.stack([reading["correct"] for reading in _of_the_same_examples(values)])
    lost = correct[:-1] & ~correct[1:]
    return {"forgotten": lost.sum(axis=0), "learned": correct.any(axis=0), "last": correct[-1]}


def _of_the_same_examples(values: Sequence[Values]) -> Sequence[Values]:
    """The readings; refuses those that say of which examples they are (`index`) where these differ."""
    places = [reading["index"] for reading in values if "index" in reading]
    if any(not np.array_equal(places[0], other) for other in places[1:]):
        counts = ", ".join(str(len(place)) for place in places)
        raise UsageError(
            f"readings of different training examples ({counts}) cannot be compared row by row: a run on a Subset has "
            "only its own; read split='test', or runs on the same examples"
        )
    return values
