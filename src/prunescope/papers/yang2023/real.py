"""The abstract's two statements on real data: random pruning at initialization, and rewound magnitude masks.

Belongs here: the study and its claims, for any ground. Does not belong here: the grounds (`mnist.py`, `cifar.py`), the
runs (`papers/atinit/arms.py`, shared with the comparison of all methods).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from prunescope.base.value import Value
from prunescope.papers.atinit import statements, views
from prunescope.papers.atinit.arms import Arms
from prunescope.papers.atinit.ground import Ground
from prunescope.papers.atinit.methods import BERNOULLI, REWOUND, SCORES, VARIANTS, ranked, scores
from prunescope.papers.jin2022.benchmarks import Name
from prunescope.papers.yang2023.setting import PAPER
from prunescope.runs.graph import Combined
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure, Lines, Row
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.region import Value as Near
from prunescope.studies.results import Numbers, Results, column
from prunescope.studies.study import Study

RANDOM = BERNOULLI.name
ABSTRACT = "Yang et al. 2023, abstract (task, label noise and sparsity are proposed here)"
INTRODUCTION = "Yang et al. 2023, introduction (task, label noise and sparsity are proposed here)"
NEAR_CHANCE = 5.0
"""Percentage points below the error of guessing from which a network is said to guess (proposed)."""
RECALLED: Mapping[Name, float] = MappingProxyType({"lenet": 79.0, "vgg16": 36.0})
"""Up to which sparsity, percent, random pruning is said to keep the test accuracy; remembered, not found again."""


class Settings(Value):
    """What is run, and where claims look.

    mild, over: exponents of the density, fixed beforehand. margin: percentage points of test error that count as
    nothing. tolerance: percentage points of error that a network may lose beside its dense one, or one standard
    deviation of dense networks if that is more, before it is said to suffer. All are proposed here. variants: whether
    two other ways to draw independent masks are run beside: `methods.VARIANTS`. scores: whether masks by score are,
    with all their thresholds; without label noise they are runs of atinit/compare.
    """

    ground: Ground
    mild: int = 2
    over: int = 20
    margin: float = Field(default=0.5, gt=0)
    tolerance: float = Field(default=0.1, ge=0)
    variants: bool = False
    scores: bool = False

    @model_validator(mode="after")
    def _judged_where_run(self) -> Self:
        if missing := {self.mild, self.over} - set(self.ground.exponents):
            raise ValueError(
                f"ground.exponents={self.ground.exponents} lack {sorted(missing)}, at which claims are judged; "
                "add them"
            )
        return self


def study(name: str, question: str, settings: Settings, scale: str) -> Study:
    """The study called `name` under these settings."""
    variants = VARIANTS if settings.variants else ()
    by_score = ranked(scores()) if settings.scores else ()
    arms = Arms(settings.ground, (BERNOULLI, *variants, *by_score))
    masks = tuple(name for name in arms.names if name not in SCORES)
    panels = {"random pruning at initialization, and rewound magnitude masks": masks}
    panels |= {"masks by score": SCORES} if by_score else {}
    noises = settings.ground.noises
    found = [threshold_nodes(arms, settings, m, n, s) for m in arms.names for n in noises for s in SPLITS]
    figures = [views.error_figure(arms, panels), views.fit_figure(arms, panels)]
    figures += [views.memory_figure(arms, panels)] if max(noises) > 0 else []
    return Study(
        name,
        question,
        settings=settings,
        scale=settings.ground.words(scale),
        paper=PAPER,
        nodes=[*arms.nodes, *(node for nodes in found for node in nodes)],
        figures=(*figures, threshold_figure(arms, settings)),
        claims=claims(arms, settings),
        notes=(
            "Of the paper, its abstract and introduction were read; that it has experiments on this data, and the two "
            "thresholds, are recalled. Widths, schedules, sparsities and label noise are proposed here.",
            "Every weight stays with the same probability, in all layers; unless a variant says so, nothing is "
            "rescaled. Masks of a replicate are nested over sparsities.",
            "The statement on over-pruning needs training that succeeds at extreme sparsity. Where the training error "
            "says it does not, the claim is not judgeable here, whatever the test error is.",
        ),
    )


SPLITS = ("test", "train")


def threshold_nodes(arms: Arms, settings: Settings, method: str, noise: float, split: str) -> list[Combined]:
    """Up to which sparsity the error on a split is the dense network's, one node a replicate."""
    margin = settings.tolerance / 100
    replicates = range(arms.ground.replicates)
    return [arms.threshold(method, noise, n, split=split, margin=margin) for n in replicates]


def thresholds(
    arms: Arms, results: Results, settings: Settings, method: str, *, noise: float, split: str
) -> Numbers:
    """These sparsities in percent, [replicates]."""
    nodes = threshold_nodes(arms, settings, method, noise, split)
    return 100 * column(results, nodes, name="threshold")


def threshold_figure(arms: Arms, settings: Settings) -> Figure:
    """Where test error and training error begin to suffer, with intervals."""

    def found(results: Results, method: str, noise: float, split: str) -> list[tuple[int, float, bool]]:
        """Replicate, threshold in percent, and whether the curve leaves the limit."""
        nodes = threshold_nodes(arms, settings, method, noise, split)
        return [
            (number, 100 * float(results[node]["threshold"]), bool(results[node]["reached"]))
            for number, node in enumerate(nodes)
            if node in results
        ]

    def table(results: Results) -> list[Row]:
        rows: list[Row] = []
        for method in arms.names:
            for split in SPLITS:
                what = f"{method}: {'test' if split == 'test' else 'training'} error"
                curves = {noise: found(results, method, noise, split) for noise in arms.ground.noises}
                least = any(not reached for curve in curves.values() for _, _, reached in curve)
                rows += [
                    {
                        "what": f"{what} (at least)" if least else what,
                        "label_noise": 100 * noise,
                        "replicate": number,
                        "threshold": threshold,
                        "reached": reached,
                    }
                    for noise, curve in curves.items()
                    for number, threshold, reached in curve
                ]
        return rows

    return Figure(
        "thresholds",
        "Where errors begin to suffer",
        caption="The largest sparsity at which the error is the dense network's, on the test and on the training set, "
        "within one standard deviation of dense networks or "
        f"{settings.tolerance:g} percentage points, whichever is more. Means over replicates and their 95 % "
        "intervals. At least: in some replicate the curve does not suffer at all (reached: False), so the true "
        "threshold is larger.",
        table=table,
        plot=Lines(
            "label_noise",
            "threshold",
            series="what",
            x_label="label noise, %",
            y_label="sparsity, %",
            band="interval",
        ),
    )


def claims(arms: Arms, settings: Settings) -> tuple[Claim, ...]:
    """All claims: the abstract's at every noise level, the recalled numbers where there are any."""
    noises, mild = arms.ground.noises, settings.mild
    found: list[Claim] = []
    for noise in noises:
        found += [
            trains(arms, noise, mild),
            statements.retains(arms, RANDOM, noise=noise, exponent=mild, margin=settings.margin),
            improves(arms, noise, mild),
            testing_suffers_first(arms, settings, noise),
            over_guesses(arms, noise, settings.over),
            rewound_lasts_longer(arms, settings, noise),
        ]
        found += [
            statements.retains(arms, name, noise=noise, exponent=mild, margin=settings.margin)
            for name in SCORES
            if name in arms.names
        ]
        found += [forgets_noise(arms, noise, mild)] if noise > 0 else []
        found += [varies_nothing(arms, settings, v.name, noise) for v in VARIANTS if v.name in arms.names]
    if arms.ground.benchmark in RECALLED and 0.0 in noises:
        found.append(recalled_threshold(arms, settings, RECALLED[arms.ground.benchmark]))
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


def varies_nothing(arms: Arms, settings: Settings, variant: str, noise: float) -> Claim:
    """How independent masks are drawn in detail changes nothing at the mild sparsity."""
    return Claim(
        f"{statements.slug(variant)}-changes-nothing-{100 * noise:g}",
        f"{views.under(noise)}, at {statements.at(settings.mild)}, {variant} moves the test error by less than "
        f"{settings.margin:g} points.",
        basis="proposed",
        place="a check of what the paper's experiments leave open; variants and margin are proposed here",
        region=Equivalence(settings.margin),
        sample=lambda r: statements.difference(arms, r, variant, RANDOM, noise=noise, exponent=settings.mild),
        preconditions=(statements.dense_fits(arms, noise, at_most=5.0),),
        unit=f"{statements.POINTS}, variant minus {RANDOM}",
    )


def testing_suffers_first(arms: Arms, settings: Settings, noise: float) -> Claim:
    """As sparsity grows, the test error suffers before the training error does."""

    def sample(results: Results) -> Numbers:
        test, train = (
            thresholds(arms, results, settings, RANDOM, noise=noise, split=split) for split in SPLITS
        )
        return np.asarray(train - test)

    return Claim(
        f"test-suffers-first-{100 * noise:g}",
        f"{views.under(noise)}, random pruning raises the test error at a lower sparsity than the training error.",
        basis="recalled",
        place=f"{INTRODUCTION}: the drop is not solely caused by a lack of trainability; the thresholds are recalled",
        region=Direction("greater"),
        sample=sample,
        preconditions=(_suffers(arms, settings, RANDOM, noise),),
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


def rewound_lasts_longer(arms: Arms, settings: Settings, noise: float) -> Claim:
    """Rewound magnitude masks keep the test error up to a higher sparsity than random ones."""

    def sample(results: Results) -> Numbers:
        rewound, random = (
            thresholds(arms, results, settings, method, noise=noise, split="test")
            for method in (REWOUND, RANDOM)
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
        preconditions=(_suffers(arms, settings, RANDOM, noise),),
        unit="percentage points of sparsity, rewound minus random",
    )


def recalled_threshold(arms: Arms, settings: Settings, percent: float) -> Claim:
    """The sparsity up to which random pruning keeps the test accuracy is the one remembered."""
    return Claim(
        "recalled-threshold",
        f"Without label noise, random pruning keeps the dense network's test error up to about {percent:g} % sparsity.",
        basis="recalled",
        place="Yang et al. 2023, experiments (with low confidence); the tolerance of 10 points is proposed here",
        region=Near(percent, 10.0),
        sample=lambda r: thresholds(arms, r, settings, RANDOM, noise=0.0, split="test"),
        preconditions=(_suffers(arms, settings, RANDOM, 0.0),),
        unit="% sparsity",
    )


def _suffers(arms: Arms, settings: Settings, method: str, noise: float) -> Precondition:
    """The test error suffers at some sparsity, so that the threshold is no mere lower bound.

    A threshold that is subtracted, or compared with a number, must be exact; a lower bound of the other one can only
    understate what is claimed.
    """
    return Precondition(
        f"the test error of {method} suffers at some sparsity at {views.noise_name(noise)}",
        lambda r: column(r, threshold_nodes(arms, settings, method, noise, "test"), name="reached"),
        at_least=1.0,
        unit="(1: it does, 0: it does not)",
    )
