"""bartoldson2020/fig2: Does less stable pruning lead to better generalization?

The less stable the pruning, the better the generalization, in VGG11 and in ResNet18.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from prunescope.papers.bartoldson import PAPERS, arms, figures
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published, fits, from_ends, log10_p, moves
from prunescope.papers.bartoldson.quantities import STABILITIES, Comparison
from prunescope.papers.bartoldson.scales import Distinct, EventSize, scales_of, words
from prunescope.studies.claim import Claim
from prunescope.studies.region import Among, Near
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "1 hour on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Figure 2"
PLACE = "Bartoldson et al. 2020, section 3.1 and Figure 2"
SCRIPT = "from the authors' figure script"
Name = Literal["VGG11", "ResNet18"]


class Settings(EventSize):
    """How much is run, and of which networks."""

    networks: Distinct[Name] = Field(default=("VGG11", "ResNet18"), min_length=1)


SCALES = scales_of(Settings, smoke={"networks": ("VGG11",)}, laptop={"networks": ("VGG11",)})


@dataclass(frozen=True)
class Published:
    """What is printed or drawn of a network.

    r, p: of stability and accuracy over 30 runs.
    reach, p_reach: from r and log10 p to the farther end of Fisher's 95 % interval of r at 30 runs, which is not
        symmetric.
    low, high: ends of the axis of accuracy in the authors' script.
    gone, count: parameters that are removed, percent, and which of two counts that is.
    worst: points that the worst event costs, at the high rate, by target.
    """

    r: float
    reach: float
    p: float
    p_reach: float
    low: float
    high: float
    gone: float
    count: str
    worst: Mapping[str, float]


PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "VGG11": Published(-0.73, 0.23, 4.4e-6, 3.8, 83.0, 86.5, 42.0, "own", {"l": 7.0}),
        "ResNet18": Published(-0.43, 0.35, 0.015, 2.7, 84.0, 88.5, 46.0, "structural", {"s": 7.0, "l": 9.0}),
    }
)


def comparisons(settings: Settings) -> dict[str, Comparison]:
    """The arms by network."""
    makers = {"VGG11": arms.vgg11, "ResNet18": arms.resnet18}
    return {name: makers[name](settings) for name in settings.networks}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    panels = comparisons(settings)
    pairs = [(x, y) for x in STABILITIES for y in ("best", "final")]
    left = [c for panel, one in panels.items() for c in _events(panel, one, settings)]
    means = [c for panel, one in panels.items() for c in _arms(panel, one, settings)]
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            figures.dynamics(
                panels, name="fig2-left", title="Figure 2, left: test accuracy during training", claims=left
            ),
            *(
                figure
                for panel, one in panels.items()
                for figure in (
                    figures.scatter(
                        {panel: one},
                        "mean_stability",
                        "best",
                        arms=one.pruned,
                        name=f"fig2-right-{panel.lower()}",
                        title=f"Figure 2, right: stability and accuracy, {panel}",
                        claims=_tradeoff(panel, one, settings),
                    ),
                    figures.correlations(
                        {panel: one},
                        pairs,
                        arms=one.pruned,
                        name=f"fig2-correlations-{panel.lower()}",
                        title=f"Correlations of stability and accuracy, {panel}",
                    ),
                )
            ),
            figures.means(
                panels,
                ("best", "final", "train_at_best", "train", "mean_stability", "recovery", "recovered")
                + ("recovered_soon", "own", "structural"),
                name="fig2-means",
                title="Means of every arm",
                claims=means,
            ),
        ),
        notes=(
            "Best accuracy is the maximum over all epochs from the last event on, on the test set itself, as in the "
            "paper; the final one is not selected. The paper's correlations are over the three pruned arms.",
        ),
    )


def _events(panel: str, one: Comparison, size: EventSize) -> Iterator[Claim]:
    """Events cost accuracy, which comes back."""
    says, tag, (_, small, large) = Says(one, place=PLACE), panel.lower(), one.pruned
    yield says.recovers(f"{tag}-recovers", large, place="Bartoldson et al. 2020, section 3.1")
    for letter, cost in PUBLISHED[panel].worst.items():
        arm = {"s": small, "l": large}[letter]
        yield says(
            f"{tag}-worst-drop-{letter}",
            f"The worst event of {arm} in {panel} costs about {cost:g} points of test accuracy.",
            one.value(arm, "worst_drop"),
            Near(cost, 3.0),
            basis="proposed",
            place=f"{PLACE}, arrows ({SCRIPT}, near epoch 250; tolerance proposed)",
            needs=(as_published(size), fits(one, arms=(arm,))),
        )


def _tradeoff(panel: str, one: Comparison, size: EventSize) -> Iterator[Claim]:
    """Accuracy falls with stability, as much as is printed."""
    says, tag, printed = Says(one, place=PLACE, arms=one.pruned), panel.lower(), PUBLISHED[panel]
    x, y = pair = "mean_stability", "best"
    exact = (as_published(size), fits(one, *pair, arms=one.pruned), moves(one, arms=one.pruned))
    yield says.correlation(
        f"{tag}-tradeoff",
        f"Over the runs of three ways to prune {panel}, best test accuracy falls with mean stability.",
        *pair,
        LESS,
    )
    yield says.correlation(
        f"{tag}-tradeoff-r",
        f"That correlation is {printed.r} in {panel} (tolerance: Fisher's interval at 30 runs).",
        *pair,
        Near(printed.r, printed.reach),
        needs=exact,
    )
    yield says(
        f"{tag}-tradeoff-p",
        f"Its p-value is {printed.p:g} (tolerance: at the farther end of Fisher's interval at 30 runs).",
        *log10_p(one, x, y, "less", p=printed.p, tolerance=printed.p_reach, runs=30, arms=one.pruned),
        needs=exact,
    )
    names = tuple(one.by_name)
    yield says(
        f"{tag}-window",
        f"Best accuracy of every arm of {panel} is between {printed.low:g} and {printed.high:g} %.",
        from_ends(one, names, printed.low, printed.high),
        Among(MORE),
        basis="proposed",
        place=f"{PLACE} (ends of an axis in the authors' figure script)",
        needs=(as_published(size), fits(one, "best", arms=names)),
    )


def _arms(panel: str, one: Comparison, size: EventSize) -> Iterator[Claim]:
    """The arm that is least stable is the best."""
    says, tag, printed = Says(one, place=PLACE), panel.lower(), PUBLISHED[panel]
    (slow, small, large), (none, *_) = one.pruned, one.by_name
    harsh = f"Pruning the largest filters of {panel} at the high rate"
    yield says.gap(
        f"{tag}-unstable-beats-stable", f"{harsh} beats pruning the smallest at the low rate.", large, slow
    )
    yield says.gap(f"{tag}-unstable-beats-none", f"{harsh} beats no pruning.", large, none)
    yield says.gap(
        f"{tag}-large-is-unstable",
        f"{harsh} is less stable than the smallest at the same.",
        large,
        small,
        "mean_stability",
        LESS,
    )
    yield says.gap(
        f"{tag}-unstable-beats-none-final",
        f"The same as {tag}-unstable-beats-none without selection: after the last epoch, on the whole test set.",
        large,
        none,
        "test",
        basis="proposed",
        place="the final accuracy is not reported there",
    )
    yield says.gone(f"{tag}-parameters-gone", large, printed.gone, count=printed.count, size=size)
