"""What is said of pruning at initialization on data, as claims over any ground.

Belongs here: claims that more than one study makes, and those of the comparison. Does not belong here: figures.
"""

import numpy as np

from prunescope.papers.atinit.arms import Arms
from prunescope.papers.atinit.ground import density
from prunescope.papers.atinit.methods import DENSE, REWOUND, control
from prunescope.papers.atinit.views import noise_name, under
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.results import Numbers, Results

POINTS = "percentage points of test error"
YANG = "Yang et al. 2023, abstract (task and sparsity are proposed here)"


def slug(name: str) -> str:
    """A method's name as part of a claim's."""
    return name.lower().replace(",", "").replace(" ", "-")


def at(exponent: int) -> str:
    """A sparsity for people."""
    return f"{100 * (1 - density(exponent)):.3g} % sparsity"


def difference(
    arms: Arms, results: Results, left: str, right: str, *, noise: float, exponent: int
) -> Numbers:
    """Test error of one method minus another's, percentage points, paired by replicate."""
    errors = [arms.percent(results, name, noise, exponent) for name in (left, right)]
    return np.asarray(errors[0] - errors[1])


def loss_of(arms: Arms, results: Results, method: str, *, noise: float, exponent: int) -> Numbers:
    """Test error of a method minus the dense network's, percentage points, paired by replicate."""
    return np.asarray(arms.percent(results, method, noise, exponent) - arms.percent(results, DENSE, noise, 0))


def dense_fits(arms: Arms, noise: float, *, at_most: float) -> Precondition:
    """The dense network fits its training labels, the wrong ones included."""
    return Precondition(
        f"the dense network fits its training labels at {noise_name(noise)}",
        lambda r: arms.percent(r, DENSE, noise, 0, split="train"),
        at_most=at_most,
        unit="% training error",
    )


def retains(arms: Arms, method: str, *, noise: float, exponent: int, margin: float) -> Claim:
    """A method at a mild sparsity costs next to nothing."""
    return Claim(
        f"{slug(method)}-retains-{100 * noise:g}",
        f"{under(noise)}, a network pruned before training to {at(exponent)} ({method}) errs at most "
        f"{margin:g} points more on the test set than the dense one.",
        basis="paper",
        place=f"{YANG}; the margin is proposed here",
        region=Direction("less", than=margin),
        sample=lambda r: loss_of(arms, r, method, noise=noise, exponent=exponent),
        preconditions=(dense_fits(arms, noise, at_most=5.0),),
        unit=f"{POINTS}, pruned minus dense",
    )


def only_layers_matter(arms: Arms, score: str, *, noise: float, exponent: int, margin: float) -> Claim:
    """Shuffling a method's mask within layers changes nothing."""
    return Claim(
        f"{slug(score)}-only-layers-{100 * noise:g}",
        f"{under(noise)}, at {at(exponent)}, shuffling the mask of {score} within layers moves the test error "
        f"by less than {margin:g} points.",
        basis="recalled",
        place="Frankle et al. 2021, section 5; Yang et al. 2023, introduction, says it of some of these methods; the "
        "margin is proposed here",
        region=Equivalence(margin),
        sample=lambda r: difference(arms, r, control(score), score, noise=noise, exponent=exponent),
        unit=f"{POINTS}, shuffled minus {score}",
    )


def beats(arms: Arms, better: str, worse: str, *, noise: float, exponent: int, place: str) -> Claim:
    """One method errs less than another at one sparsity. place: where that is recalled from."""
    return Claim(
        f"{slug(better)}-beats-{slug(worse)}-{100 * noise:g}",
        f"{under(noise)}, at {at(exponent)}, {better} errs less on the test set than {worse}.",
        basis="recalled",
        place=f"{place}; the task and the sparsity are proposed here",
        region=Direction("greater"),
        sample=lambda r: difference(arms, r, worse, better, noise=noise, exponent=exponent),
        unit=f"{POINTS}, {worse} minus {better}",
    )


def tickets_beat_all(arms: Arms, names: tuple[str, ...], *, noise: float, exponent: int) -> Claim:
    """The best of the methods that never train the dense network is worse than rewound iterative pruning."""

    def sample(results: Results) -> Numbers:
        errors = [arms.percent(results, name, noise, exponent) for name in names]
        best = min(errors, key=lambda row: float(row.mean()))
        return np.asarray(best - arms.percent(results, REWOUND, noise, exponent))

    return Claim(
        f"rewound-beats-all-{100 * noise:g}",
        f"{under(noise)}, at {at(exponent)}, masks from iterative pruning, rewound to initialization, err less "
        "than the best method at initialization.",
        basis="recalled",
        place="Frankle et al. 2021, section 4 (there after the first epochs, not at initialization); the task and the "
        "sparsity are proposed here",
        region=Direction("greater"),
        sample=sample,
        unit=f"{POINTS}, best at initialization minus rewound",
    )


def never_collapses(arms: Arms, method: str, *, noise: float) -> Claim:
    """A method leaves every layer some weight, at every sparsity."""

    def sample(results: Results) -> Numbers:
        most = [
            max(len(arms.collapsed(results, arms.row(method, noise, e)[n])) for e in arms.ground.exponents)
            for n in range(arms.ground.replicates)
        ]
        return np.array(most, dtype=np.float64)

    return Claim(
        f"{slug(method)}-never-collapses-{100 * noise:g}",
        f"{method} leaves a weight in every layer, up to {at(arms.ground.exponents[-1])}.",
        basis="recalled",
        place="Tanaka et al. 2020, section 4 (SynFlow avoids layer collapse)",
        region=Direction("less", than=1.0),
        sample=sample,
        unit="empty layers at the sparsity where they are most",
    )
