"""The abstract's two statements on real data: random pruning at initialization, and rewound magnitude masks.

Belongs here: the study of any ground, its figures and claims. Does not belong here: the grounds (`mnist.py`,
`cifar.py`), the networks and where they suffer (`papers/atinit/quantities.py`), shared with the comparison of all
methods.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

import prunescope as ps
from prunescope.papers.atinit.compare import Panels, Says, error_figure, fit_figure, lines, rows
from prunescope.papers.atinit.methods import BERNOULLI, REWOUND, SCORES, VARIANTS, ranked, scores
from prunescope.papers.atinit.quantities import Arms
from prunescope.papers.atinit.scales import Ground, sparsity
from prunescope.papers.readings import noise_name
from prunescope.papers.yang2023 import PAPERS
from prunescope.runs.store.results import Missing

RANDOM = BERNOULLI.name
SPLITS = ("test", "train")
NEAR_CHANCE = 5.0  # points below the error of guessing from which a network is said to guess; proposed
ABSTRACT = "Yang et al. 2023, abstract (task, label noise and sparsity are proposed here)"
INTRODUCTION = "Yang et al. 2023, introduction (task, label noise and sparsity are proposed here)"
RECALLED = {"lenet": 79.0, "vgg16": 36.0}
"""Up to which sparsity, percent, random pruning is said to keep the test accuracy; remembered, not found again."""


class Settings(ps.Value):
    """What is run, and where claims look. The numbers are proposed here.

    ground: network, data and training.
    mild: exponent of the density, 0.8^mild, at which pruning is said to help; fixed beforehand.
    over: exponent of the density at which pruning is said to harm; fixed beforehand.
    margin: percentage points of test error that count as nothing.
    tolerance: percentage points of error that a network may lose beside its dense one, or one standard deviation of
        dense networks if that is more, before it is said to suffer.
    variants: whether two other ways to draw independent masks are run beside: `methods.VARIANTS`.
    scores: whether masks by score are, with all their thresholds; without label noise they are runs of atinit/compare.
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
        self.ground.check_judged(self.mild, self.over)
        return self


def builder(doc: str | None) -> Callable[[Settings, str], ps.Study]:
    """What makes the study whose name and question are in the docstring of its module."""
    return lambda settings, scale: study(*ps.titled(doc), settings, scale)


def study(name: str, question: str, settings: Settings, scale: str) -> ps.Study:
    """The study called `name` under these settings."""
    by_score = ranked(scores()) if settings.scores else ()
    arms = Arms(settings.ground, (BERNOULLI, *(VARIANTS if settings.variants else ()), *by_score))
    masks = tuple(name for name in arms.names if name not in SCORES)
    panels = {"random pruning at initialization, and rewound magnitude masks": masks}
    panels |= {"masks by score": SCORES} if by_score else {}
    says = [Says(arms, noise) for noise in settings.ground.noises]
    errors = [claim for each in says for claim in error_claims(each, settings)]
    return ps.Study(
        name,
        question,
        settings=settings,
        scale=settings.ground.words(scale),
        paper=PAPERS["yang2023"],
        recalled=True,
        figures=(
            error_figure(arms, panels, *errors),
            fit_figure(arms, panels, *(trains(each, settings.mild) for each in says)),
            *memory_figures(arms, panels, settings.mild),
            threshold_figure(arms, settings.tolerance),
        ),
        notes=(
            "Of the paper, its abstract and introduction were read; that it has experiments on this data, and the two "
            "thresholds, are recalled. Widths, schedules, sparsities and label noise are proposed here.",
            "Every weight stays with the same probability, in all layers; unless a variant says so, nothing is "
            "rescaled. Masks of a replicate are nested over sparsities.",
            "The statement on over-pruning needs training that succeeds at extreme sparsity. Where the training error "
            "says it does not, the claim is not judgeable here, whatever the test error is.",
        ),
    )


def error_claims(says: Says, settings: Settings) -> Iterator[ps.Claim]:
    """What mild pruning and over-pruning do to the test error at one noise level."""
    mild, over, fits = settings.mild, settings.over, (says.dense_fits(at_most=5.0),)
    basis = "proposed" if says.noise else "paper"  # of label noise the abstract says nothing
    for name in (RANDOM, *SCORES):
        if name in says.arms.names:
            yield says.retains(name, mild, settings.margin)
    gains = [says.error() - says.error(RANDOM, exponent) for exponent in says.arms.ground.exponents]
    gain = ps.side_by_side([each.named("") for each in gains]).named("dense minus pruned, at every sparsity")
    some = ps.Among(ps.Direction("greater"), at_least=1, of=len(gains))
    place = f"{ABSTRACT}: 'sometimes even slightly boost', over some range of sparsities"
    what = "random pruning lowers the test error at some of the sparsities that were run"
    yield says("improves", what, gain, some, basis=basis, place=place, preconditions=fits)
    here = says.error() - says.error(RANDOM, mild)
    what, place = f"random pruning to {sparsity(mild)} sparsity lowers the test error", "the sparsity is proposed here"
    yield says("improves-mildly", what, here, ps.Direction("greater"), place=place, preconditions=fits)
    what = (
        f"a network pruned at random to {sparsity(over)} sparsity still fits its training labels, and on the test set "
        f"is within {NEAR_CHANCE:g} points of guessing or worse"
    )
    guess = 100 * (1 - 1 / says.arms.at(RANDOM, says.noise).classes) - NEAR_CHANCE
    fitted = f"the network fits its training labels at {sparsity(over)} sparsity"
    trained = ps.Precondition(fitted, says.error(RANDOM, over, "train"), at_most=5.0)
    source, guesses = {"basis": basis, "place": ABSTRACT}, ps.Direction("greater", than=guess)
    yield says("over-guesses", what, says.error(RANDOM, over), guesses, **source, preconditions=(trained,))
    place = "a check of what the paper's experiments leave open; variants and margin are proposed here"
    for name in (variant.name for variant in VARIANTS if variant.name in says.arms.names):
        sentence = f"at {sparsity(mild)} sparsity, {name} moves the test error by less than {settings.margin:g} points"
        moved, none = says.error(name, mild) - says.error(RANDOM, mild), ps.Equivalence(settings.margin)
        yield says(f"{name}-changes-nothing", sentence, moved, none, place=place, preconditions=fits)


def trains(says: Says, mild: int) -> ps.Claim:
    """Below a threshold of pruning, training still succeeds."""
    what = f"a network pruned at random to {sparsity(mild)} sparsity still fits its training labels but for 1 %"
    source = {
        "basis": "proposed" if says.noise else "paper",
        "place": f"{ABSTRACT}; that 1 % counts as fitting is proposed here",
    }
    error, fits = says.error(RANDOM, mild, "train"), (says.dense_fits(at_most=1.0),)
    return says("trains", what, error, ps.Direction("less", than=1.0), **source, preconditions=fits)


def memory_figures(arms: Arms, panels: Panels, mild: int) -> Iterator[ps.Figure]:
    """How many of the wrong labels are fitted over the weights that remain, if there are any."""
    noisy = [noise for noise in arms.ground.noises if noise > 0]
    if noisy:
        yield ps.Figure(
            "memory",
            "Wrong labels that are fitted",
            caption="The same runs: share of the training examples with a wrong label for which the network says that "
            "label. A network that fits them has memorized noise.",
            rows=rows(arms, panels, noises=noisy),
            plot=lines("noisy_fitted", "wrong labels fitted, %"),
            claims=tuple(forgets_noise(Says(arms, noise), mild) for noise in noisy),
        )


def forgets_noise(says: Says, mild: int) -> ps.Claim:
    """Mild pruning reduces what is memorized."""
    what = f"a network pruned at random to {sparsity(mild)} sparsity fits fewer of the wrong labels than the dense one"
    dense, pruned = (says.arms.at(RANDOM, says.noise, exponent).wrong_labels for exponent in (0, mild))
    place = "a reading of the introduction's reduced effect of noise, with wrong labels for noise"
    fits, more = (says.dense_fits(at_most=5.0),), ps.Direction("greater")
    return says("forgets-noise", what, dense - pruned, more, place=place, preconditions=fits)


def threshold_claims(says: Says, tolerance: float) -> Iterator[ps.Claim]:
    """What suffers first as sparsity grows, testing or training, random or rewound masks.

    A threshold that is subtracted, or compared with a number, must be exact; a lower bound of the other one can only
    understate what is claimed. A curve that comes back after it has left its limit has no one threshold.
    """
    arms, noise = says.arms, says.noise
    random, training = (arms.threshold(RANDOM, noise, split, tolerance=tolerance) for split in SPLITS)
    rewound = arms.threshold(REWOUND, noise, "test", tolerance=tolerance)
    suffers = f"the test error of {RANDOM} suffers at some sparsity at {noise_name(noise)}"
    reached = random.map(lambda v: v[:, 1], unit="(1: it does, 0: it does not)")
    exact = (ps.Precondition(suffers, reached, at_least=1.0), stays_out(random, f"test error of {RANDOM}", noise))
    recalled = {"basis": "recalled", "place": "", "preconditions": exact}
    fitted = (*exact, stays_out(training, f"training error of {RANDOM}", noise))
    kept = (*exact, stays_out(rewound, f"test error of {REWOUND}", noise))
    random, training, rewound = (each.map(lambda v: v[:, 0]) for each in (random, training, rewound))
    later, more = training.named("where training suffers") - random.named("where testing does"), ps.Direction("greater")
    what = "random pruning raises the test error at a lower sparsity than the training error"
    place = f"{INTRODUCTION}: the drop is not solely caused by a lack of trainability; the thresholds are recalled"
    yield says("test-suffers-first", what, later, more, **recalled | {"place": place, "preconditions": fitted})
    what = "rewound magnitude masks keep the dense network's test error up to a higher sparsity than random masks"
    later = rewound.named("rewound") - random.named("random")
    place = "Yang et al. 2023, experiments (recalled); Frankle and Carbin 2019, section 2"
    yield says("rewound-lasts-longer", what, later, more, **recalled | {"place": place, "preconditions": kept})
    if noise == 0 and arms.ground.benchmark in RECALLED:
        percent = RECALLED[arms.ground.benchmark]
        what = (
            f"Without label noise, random pruning keeps the dense network's test error up to about {percent:g} % "
            "sparsity."
        )
        place = (
            "Yang et al. 2023, experiments (with low confidence, and of the paper's own network and schedule); the "
            "tolerance of 10 points is proposed here"
        )
        near = ps.Near(percent, 10.0)
        yield ps.Claim("recalled-threshold", what, random, near, basis="recalled", place=place, preconditions=exact)


def stays_out(thresholds: ps.Quantity, what: str, noise: float) -> ps.Precondition:
    """Once it has suffered, an error stays above its limit; otherwise nothing is its threshold."""
    returns = thresholds.map(lambda v: v[:, 2], unit="(1: it comes back, 0: it stays out)")
    says = f"the {what} does not come back to the dense network's at a higher sparsity, at {noise_name(noise)}"
    return ps.Precondition(says, returns, at_most=0.0)


def threshold_figure(arms: Arms, tolerance: float) -> ps.Figure:
    """Where test error and training error begin to suffer, with intervals."""
    plot = ps.Lines("label_noise", "threshold", series="method", band="interval")
    return ps.Figure(
        "thresholds",
        "Where errors begin to suffer",
        caption="The sparsity at which the error first leaves the dense network's, on the test and the training set, "
        f"within one standard deviation of dense networks or {tolerance:g} percentage points, whichever is more. Means "
        "over replicates and their 95 % intervals. At least: in some replicate the curve does not suffer at all "
        "(reached: False), so the true threshold is larger. Curves that "
        "come back (returns: True) have none.",
        rows=[threshold_rows(arms, name, split, tolerance) for name in arms.names for split in SPLITS],
        plot=replace(plot, x_label="label noise, %", y_label="sparsity, %"),
        claims=tuple(claim for n in arms.ground.noises for claim in threshold_claims(Says(arms, n), tolerance)),
    )


def threshold_rows(arms: Arms, method: str, split: str, tolerance: float) -> ps.Computed:
    """A curve over noise levels, called a lower bound if some replicate's error does not suffer at all."""
    places = [
        (noise, number, quantity)
        for noise in arms.ground.noises
        for number, quantity in enumerate(arms.thresholds(method, noise, split, tolerance=tolerance))
    ]

    def table(results: ps.Results) -> ps.Table:
        points: list[dict[str, float]] = []
        for noise, number, quantity in places:
            with suppress(Missing):
                percent, reached, returns = quantity(results)
                place = {"label_noise": 100 * noise, "replicate": number}
                points.append(place | {"threshold": float(percent), "reached": bool(reached), "returns": bool(returns)})
        label = method if all(point["reached"] for point in points) else f"{method} (at least)"
        return [{"method": label, **point} for point in points]

    panel = {"panel": f"{'test' if split == 'test' else 'training'} error"}
    return ps.Computed(ps.nodes_of(quantity for *_, quantity in places), table, panel)
