"""What is claimed of random pruning on real data.

Belongs here: claims over any ground, with the tags of what was read and what is recalled. Does not belong here: the
study (`real.py`), claims that the comparison of all methods makes too (`papers/atinit/statements.py`).
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from prunescope.papers.atinit import statements, views
from prunescope.papers.atinit.arms import Arms
from prunescope.papers.atinit.methods import BERNOULLI, REWOUND, SCORES, VARIANTS
from prunescope.papers.jin2022.benchmarks import Name
from prunescope.papers.yang2023.thresholds import SPLITS, Thresholds
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.region import Value as Near
from prunescope.studies.results import Numbers, Results, column

RANDOM = BERNOULLI.name
ABSTRACT = "Yang et al. 2023, abstract (task, label noise and sparsity are proposed here)"
INTRODUCTION = "Yang et al. 2023, introduction (task, label noise and sparsity are proposed here)"
NEAR_CHANCE = 5.0
"""Percentage points below the error of guessing from which a network is said to guess (proposed)."""
RECALLED: Mapping[Name, float] = MappingProxyType({"lenet": 79.0, "vgg16": 36.0})
"""Up to which sparsity, percent, random pruning is said to keep the test accuracy; remembered, not found again."""


def claims(thresholds: Thresholds, *, mild: int, over: int, margin: float) -> tuple[Claim, ...]:
    """All claims: the abstract's at every noise level, the recalled numbers where there are any.

    mild, over: exponents of the density at which they are judged. margin: percentage points of test error that count
    as nothing.
    """
    arms, noises = thresholds.arms, thresholds.arms.ground.noises
    found: list[Claim] = []
    for noise in noises:
        found += [
            trains(arms, noise, mild),
            statements.retains(arms, RANDOM, noise=noise, exponent=mild, margin=margin),
            improves(arms, noise, mild),
            testing_suffers_first(thresholds, noise),
            over_guesses(arms, noise, over),
            rewound_lasts_longer(thresholds, noise),
        ]
        found += [
            statements.retains(arms, name, noise=noise, exponent=mild, margin=margin)
            for name in SCORES
            if name in arms.names
        ]
        found += [forgets_noise(arms, noise, mild)] if noise > 0 else []
        found += [varies_nothing(arms, v.name, noise, mild, margin) for v in VARIANTS if v.name in arms.names]
    if arms.ground.benchmark in RECALLED and 0.0 in noises:
        found.append(recalled_threshold(thresholds, RECALLED[arms.ground.benchmark]))
    return tuple(found)


def trains(arms: Arms, noise: float, exponent: int) -> Claim:
    """Below a threshold of pruning, training still succeeds."""
    return Claim(
        f"trains-{100 * noise:g}",
        f"{views.under(noise)}, a network pruned at random to {statements.at(exponent)} still fits its training labels "
        "but for 1 %.",
        basis="paper",
        place=f"{ABSTRACT}; that 1 % counts as fitting is proposed here",
        region=Direction("less", than=1.0),
        sample=lambda r: arms.percent(r, RANDOM, noise, exponent, split="train"),
        preconditions=(statements.dense_fits(arms, noise, at_most=1.0),),
        unit="% training error",
    )


def improves(arms: Arms, noise: float, exponent: int) -> Claim:
    """Mild pruning lowers the test error."""
    return Claim(
        f"improves-{100 * noise:g}",
        f"{views.under(noise)}, random pruning to {statements.at(exponent)} lowers the test error.",
        basis="paper",
        place=f"{ABSTRACT}: 'sometimes even slightly boost', and a bound that gets better",
        region=Direction("greater"),
        sample=lambda r: -statements.loss_of(arms, r, RANDOM, noise=noise, exponent=exponent),
        preconditions=(statements.dense_fits(arms, noise, at_most=5.0),),
        unit=f"{statements.POINTS}, dense minus pruned",
    )


def forgets_noise(arms: Arms, noise: float, exponent: int) -> Claim:
    """Mild pruning reduces what is memorized."""

    def sample(results: Results) -> Numbers:
        fitted = [
            column(results, [p.train for p in arms.row(RANDOM, noise, e)], name="noisy_error")
            for e in (exponent, 0)
        ]
        return np.asarray(100 * (fitted[0] - fitted[1]))

    return Claim(
        f"forgets-noise-{100 * noise:g}",
        f"{views.under(noise)}, a network pruned at random to {statements.at(exponent)} fits fewer of the wrong labels "
        "than the dense one.",
        basis="proposed",
        place="a reading of the introduction's reduced effect of noise, with wrong labels for noise",
        region=Direction("greater"),
        sample=sample,
        preconditions=(statements.dense_fits(arms, noise, at_most=5.0),),
        unit="percentage points of wrong labels fitted, dense minus pruned",
    )


def varies_nothing(arms: Arms, variant: str, noise: float, exponent: int, margin: float) -> Claim:
    """How independent masks are drawn in detail changes nothing at the mild sparsity."""
    return Claim(
        f"{statements.slug(variant)}-changes-nothing-{100 * noise:g}",
        f"{views.under(noise)}, at {statements.at(exponent)}, {variant} moves the test error by less than "
        f"{margin:g} points.",
        basis="proposed",
        place="a check of what the paper's experiments leave open; variants and margin are proposed here",
        region=Equivalence(margin),
        sample=lambda r: statements.difference(arms, r, variant, RANDOM, noise=noise, exponent=exponent),
        preconditions=(statements.dense_fits(arms, noise, at_most=5.0),),
        unit=f"{statements.POINTS}, variant minus {RANDOM}",
    )


def testing_suffers_first(thresholds: Thresholds, noise: float) -> Claim:
    """As sparsity grows, the test error suffers before the training error does."""

    def sample(results: Results) -> Numbers:
        test, train = (thresholds.percent(results, RANDOM, noise=noise, split=split) for split in SPLITS)
        return np.asarray(train - test)

    return Claim(
        f"test-suffers-first-{100 * noise:g}",
        f"{views.under(noise)}, random pruning raises the test error at a lower sparsity than the training error.",
        basis="recalled",
        place=f"{INTRODUCTION}: the drop is not solely caused by a lack of trainability; the thresholds are recalled",
        region=Direction("greater"),
        sample=sample,
        preconditions=(thresholds.suffers(RANDOM, noise),),
        unit="percentage points of sparsity, where training suffers minus where testing does",
    )


def over_guesses(arms: Arms, noise: float, exponent: int) -> Claim:
    """Over-pruned networks fit their training labels and guess on the test set."""
    return Claim(
        f"over-guesses-{100 * noise:g}",
        f"{views.under(noise)}, a network pruned at random to {statements.at(exponent)} still fits its training "
        f"labels, and on the test set is within {NEAR_CHANCE:g} points of guessing or worse.",
        basis="paper",
        place=ABSTRACT,
        region=Direction("greater", than=arms.guessing - NEAR_CHANCE),
        sample=lambda r: arms.percent(r, RANDOM, noise, exponent),
        preconditions=(
            Precondition(
                f"the network fits its training labels at {statements.at(exponent)}",
                lambda r: arms.percent(r, RANDOM, noise, exponent, split="train"),
                at_most=5.0,
                unit="% training error",
            ),
        ),
        unit="% test error",
    )


def rewound_lasts_longer(thresholds: Thresholds, noise: float) -> Claim:
    """Rewound magnitude masks keep the test error up to a higher sparsity than random ones."""

    def sample(results: Results) -> Numbers:
        rewound, random = (
            thresholds.percent(results, method, noise=noise, split="test") for method in (REWOUND, RANDOM)
        )
        return np.asarray(rewound - random)

    return Claim(
        f"rewound-lasts-longer-{100 * noise:g}",
        f"{views.under(noise)}, rewound magnitude masks keep the dense network's test error up to a higher sparsity "
        "than random masks.",
        basis="recalled",
        place="Yang et al. 2023, experiments (recalled); Frankle and Carbin 2019, section 2",
        region=Direction("greater"),
        sample=sample,
        preconditions=(thresholds.suffers(RANDOM, noise),),
        unit="percentage points of sparsity, rewound minus random",
    )


def recalled_threshold(thresholds: Thresholds, percent: float) -> Claim:
    """The sparsity up to which random pruning keeps the test accuracy is the one remembered."""
    return Claim(
        "recalled-threshold",
        f"Without label noise, random pruning keeps the dense network's test error up to about {percent:g} % sparsity.",
        basis="recalled",
        place="Yang et al. 2023, experiments (with low confidence, and of the paper's own network and schedule); the "
        "tolerance of 10 points is proposed here",
        region=Near(percent, 10.0),
        sample=lambda r: thresholds.percent(r, RANDOM, noise=0.0, split="test"),
        preconditions=(thresholds.suffers(RANDOM, 0.0),),
        unit="% sparsity",
    )
