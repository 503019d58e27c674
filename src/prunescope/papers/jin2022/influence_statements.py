"""What follows for measured memorization if the paper's account is right, as claims.

Belongs here: claims over memorization. Does not belong here: the numbers (`retrained.py`).
"""

import numpy as np

from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.retrained import Retrained
from prunescope.papers.jin2022.statements import fits_clean, fits_noise, is_sparse
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Direction
from prunescope.studies.results import Results

AGREEMENT = 0.3
"""Rank correlation of two halves of the networks from which memorization counts as measured; proposed."""
PLACE = "proposed here: Jin et al. 2022, section 3, with memorization measured instead of approximated"


def claims(case: Retrained) -> tuple[Claim, ...]:
    """All claims of a noise level."""
    if case.noise == 0:
        return (_el2n(case), _improves_the_memorized(case), _pairs(case))
    given_up = (_gives_up_the_memorized(case, last=last) for last in (False, True))
    return (_el2n(case), *given_up, _flipped_are_memorized(case))


def _fits(case: Retrained) -> Precondition:
    return fits_noise(case.bench, case.noise) if case.noise else fits_clean(case.bench)


def _at(case: Retrained) -> str:
    return f"At {noise_name(case.noise)}" if case.noise else "Without label noise"


def _is_measured(case: Retrained) -> Precondition:
    return Precondition(
        "two halves of the networks agree on what is memorized",
        case.agreement,
        at_least=AGREEMENT,
        unit="rank correlation",
    )


def _el2n(case: Retrained) -> Claim:
    return Claim(
        f"el2n-goes-with-memorization-{100 * case.noise:g}",
        f"{_at(case)}, training examples with a higher EL2N are memorized more.",
        basis="proposed",
        place=PLACE,
        region=Direction("greater"),
        sample=lambda r: case.correlations(r, "EL2N"),
        preconditions=(_fits(case), _is_measured(case)),
        unit="rank correlation",
    )


def _improves_the_memorized(case: Retrained) -> Claim:
    return Claim(
        "memorized-improve-most",
        "Without label noise, at the optimal sparsity the loss falls most on the examples that are memorized most.",
        basis="proposed",
        place=PLACE,
        region=Direction("less"),
        sample=lambda r: case.correlations(r, "rise in loss, optimal level"),
        preconditions=(_fits(case), is_sparse(case.bench, case.noise), _is_measured(case)),
        unit="rank correlation of memorization with the rise in loss",
    )


def _gives_up_the_memorized(case: Retrained, *, last: bool = False) -> Claim:
    """last: of the sparsest network instead of the optimal one."""
    where, which = ("last level", "highest") if last else ("optimal level", "optimal")
    chosen = () if last else (is_sparse(case.bench, case.noise),)
    return Claim(
        f"memorized-are-given-up{'-at-last' * last}-{100 * case.noise:g}",
        f"At {noise_name(case.noise)}, at the {which} sparsity the loss rises most on the examples that are memorized "
        "most.",
        basis="proposed",
        place=PLACE,
        region=Direction("greater"),
        sample=lambda r: case.correlations(r, f"rise in loss, {where}"),
        preconditions=(_fits(case), *chosen, _is_measured(case)),
        unit="rank correlation of memorization with the rise in loss",
    )


def _flipped_are_memorized(case: Retrained) -> Claim:
    def sample(results: Results) -> list[float]:
        dense = case.bench.row("dense", case.noise, 0)
        found = []
        for number, point in enumerate(dense):
            flipped, measured = results[point.examples]["noisy"], case.measured(results, number)
            found.append(float(np.nanmean(measured[flipped]) - np.nanmean(measured[~flipped])))
        return found

    return Claim(
        f"flipped-are-memorized-{100 * case.noise:g}",
        f"At {noise_name(case.noise)}, examples with a flipped label are memorized more than the others.",
        basis="proposed",
        place="proposed here: a label that nothing else supports can only be memorized",
        region=Direction("greater"),
        sample=sample,
        preconditions=(_fits(case),),
        unit="mean memorization, flipped minus others",
    )


def _pairs(case: Retrained) -> Claim:
    return Claim(
        "influence-beyond-chance",
        "Without label noise, more pairs of a memorized training example and a test example have a large influence "
        "than by chance.",
        basis="recalled",
        place="Feldman and Zhang 2020, section 3 (with thousands of networks; the comparison with chance is proposed)",
        region=Direction("greater"),
        sample=lambda r: [float(r[node]["pairs"] - r[node]["by_chance"]) for node in case.pairs],
        preconditions=(_fits(case), _is_measured(case)),
        unit="pairs, measured minus by chance",
    )
