"""Choosing one level of a chain: the optimal sparsity, and honest ways to say what it gains.

Errors are [levels + 1, replicates], counts of wrong answers or errors; level 0 is the dense network. Counts add up
exactly, so that of levels that tie the first is taken, wherever the choice is made.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from prunescope.base.errors import TooFewReplicates, UsageError
from prunescope.measures.measure import Values
from prunescope.studies.results import Numbers

HALVES = {"even": slice(0, None, 2), "odd": slice(1, None, 2)}
"""Alternating examples, because published test sets are often sorted."""


def wrong_answers(risk: Mapping[str, ArrayLike]) -> float:
    """How many examples a network errs on, a whole number; of a regression the sum of its errors.

    risk: a result of `Risk`; without the number of its examples the error itself is given back.
    """
    if "examples" not in risk:
        return float(np.asarray(risk["error"]))
    total = float(np.asarray(risk["error"])) * float(np.asarray(risk["examples"]))
    return float(np.round(total)) if abs(total - np.round(total)) < 1e-6 else total


def optimal(errors: Numbers) -> int:
    """The level of least mean error, the dense network included; the first of several.

    Raises UsageError if there is no sparse level.

    Source: Jin et al. 2022, section 2 (optimal sparsity).
    """
    return int(_chain(errors).sum(axis=1).argmin())


def highest_improving(errors: Numbers) -> int:
    """The last level whose mean error is below the dense network's; 0 if there is none.

    Raises UsageError if there is no sparse level.

    Source: Jin et al. 2022, section 3 (highest sparsity that still attains better generalization).
    """
    sums = _chain(errors).sum(axis=1)
    improving = np.flatnonzero(sums < sums[0])
    return int(improving[-1]) if len(improving) else 0


def cross_fitted(even: Numbers, odd: Numbers, *, judged: tuple[Numbers, Numbers] | None = None) -> Numbers:
    """Errors at the optimum, chosen on one half of the test set by the other replicates: [replicates].

    Both halves choose once, and the mean of both is given. Neither a test example nor a network judges its own choice.
    With halves alone the luck of a network, which it has on both, would choose it and judge it: at three replicates the
    95 % interval of the gain would hold the truth in as few as 89 % of studies (`tools/interval_coverage.py`). A single
    replicate chooses for itself.

    even, odd: errors on the two halves, [levels + 1, replicates]. judged: those on which the chosen levels are read
    off, by default the same. Raises UsageError if there is no sparse level.
    """
    halves, read = (_chain(even), _chain(odd)), judged or (even, odd)

    def at(number: int) -> float:
        others = [np.delete(half, number, axis=1) if half.shape[1] > 1 else half for half in halves]
        return float(read[1][optimal(others[0]), number] + read[0][optimal(others[1]), number]) / 2

    return np.array([at(number) for number in range(even.shape[1])])


def stopped_early(errors: Numbers) -> Numbers:
    """Error of each replicate after the epoch that is best for the others: [replicates].

    errors: after every epoch, [replicates, epochs], so that no replicate judges its own choice; [replicates] where all
        of them failed, which is given back. A single replicate chooses for itself. Not a number where another one
        failed, so that it cannot choose.
    """
    if errors.ndim < 2:
        return errors
    every = range(len(errors))
    others = np.array([np.delete(errors, k, axis=0).sum(axis=0) for k in every]) if len(errors) > 1 else errors
    return np.where(np.isfinite(others).all(axis=1), errors[every, others.argmin(axis=1)], np.nan)


def choose_optimal(values: Sequence[Values], *, replicates: int) -> int:
    """`optimal` as a rule of `Chosen`; inputs: risks, level by level, the replicates of each in order."""
    return optimal(_errors(values, replicates))


def choose_on_half(values: Sequence[Values], *, levels: int, half: str) -> int:
    """The level, from 0, of least mean error on one half of the test examples, "even" or "odd"; a rule of `Chosen`.

    values: `Examples` of every network, level by level.
    """
    wrong = [~value["correct"] if "correct" in value else value["error"] for value in values]
    errors = [float(value[HALVES[half]].sum()) for value in wrong]
    return int(np.reshape(errors, (levels, -1)).sum(axis=1).argmin())


def choose_highest_improving(values: Sequence[Values], *, replicates: int) -> int:
    """`highest_improving` as a rule of `Chosen`; inputs as for `choose_optimal`."""
    return highest_improving(_errors(values, replicates))


def _errors(values: Sequence[Values], replicates: int) -> Numbers:
    return np.array([wrong_answers(value) for value in values]).reshape(-1, replicates)


def _chain(errors: Numbers) -> Numbers:
    if len(errors) < 2:
        raise UsageError("a chain with no sparse level has no optimal sparsity; run at least levels=1")
    if not np.isfinite(errors).all():
        raise TooFewReplicates("not all levels of the chain have an error, so none can be chosen")
    return errors
