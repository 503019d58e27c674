"""bartoldson2020/fig2: the less stable the pruning, the better the generalization, in VGG11 and in ResNet18."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from prunescope.papers.bartoldson import pruning, views
from prunescope.papers.bartoldson.arms import STABILITIES, Comparison
from prunescope.papers.bartoldson.pruning import NONE, Layers
from prunescope.papers.bartoldson.published import has_p_value, within
from prunescope.papers.bartoldson.sizes import PAPER_2020, Distinct, EventSize, words
from prunescope.papers.bartoldson.statements import (
    compares,
    correlates,
    fits,
    is_number,
    moves,
    recovers,
    smaller,
    whole,
)
from prunescope.papers.bartoldson2020 import setting
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction, Value
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2020, section 3.1 and Figure 2"
Name = Literal["VGG11", "ResNet18"]


@dataclass(frozen=True)
class Published:
    """What is printed or drawn of a network.

    r, p: of stability and accuracy over 30 runs; reach, p_reach: from r and log10 p to the farther end of Fisher's 95 %
    interval of r at 30 runs, which is not symmetric. low, high: ends of the axis of accuracy in the authors' script.
    """

    r: float
    reach: float
    p: float
    p_reach: float
    low: float
    high: float


PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "VGG11": Published(-0.73, 0.23, p=4.4e-6, p_reach=3.8, low=83.0, high=86.5),
        "ResNet18": Published(-0.43, 0.35, p=0.015, p_reach=2.7, low=84.0, high=88.5),
    }
)


class Settings(EventSize):
    """How much is run, and of which networks."""

    networks: Distinct[Name] = Field(default=("VGG11", "ResNet18"), min_length=1)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SMOKE.model_dump(), networks=("VGG11",)),
        "laptop": Settings(**setting.LAPTOP.model_dump(), networks=("VGG11",)),
        "paper": Settings(),
    }
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    panels, layers = comparisons(settings), {"VGG11": pruning.VGG11, "ResNet18": pruning.RESNET18}
    pairs = [(x, y) for x in STABILITIES for y in ("best", "final")]
    arms = {panel: _pruned(settings, layers[panel]) for panel in panels}
    return Study(
        "bartoldson2020/fig2",
        "Does less stable pruning lead to better generalization?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=[node for comparison in panels.values() for node in comparison.nodes],
        figures=(
            views.dynamics(panels, name="fig2-left", title="Figure 2, left: test accuracy during training"),
            *(
                figure
                for panel, comparison in panels.items()
                for figure in (
                    views.scatter(
                        {panel: comparison},
                        "mean_stability",
                        "best",
                        arms=arms[panel],
                        name=f"fig2-right-{panel.lower()}",
                        title=f"Figure 2, right: stability and accuracy, {panel}",
                    ),
                    views.correlations(
                        {panel: comparison},
                        pairs,
                        arms=arms[panel],
                        name=f"fig2-correlations-{panel.lower()}",
                        title=f"Correlations of stability and accuracy, {panel}",
                    ),
                )
            ),
            views.means(
                panels,
                (
                    "best",
                    "final",
                    "train_at_best",
                    "train",
                    "mean_stability",
                    "recovery",
                    "recovered",
                    "recovered_soon",
                    "own",
                    "structural",
                ),
                name="fig2-means",
                title="Means of every arm",
            ),
        ),
        claims=tuple(
            claim for panel, one in panels.items() for claim in _claims(panel, one, settings, layers[panel])
        ),
        notes=(
            "Best accuracy is the maximum over all epochs from the last event on, on the test set itself, as in the "
            "paper; the final one is not selected. The paper's correlations are over the three pruned arms.",
        ),
    )


def comparisons(settings: Settings) -> dict[str, Comparison]:
    """The arms by network."""
    makers = {"VGG11": setting.vgg11, "ResNet18": setting.resnet18}
    return {name: makers[name](settings) for name in settings.networks}


def _pruned(size: EventSize, layers: Layers) -> tuple[str, ...]:
    roles = setting.names(layers, size)
    return roles["S1"], roles["S13"], roles["L13"]


def _claims(panel: str, comparison: Comparison, size: EventSize, layers: Layers) -> tuple[Claim, ...]:
    roles, tag = setting.names(layers, size), panel.lower()
    published, arms = PUBLISHED[panel], _pruned(size, layers)
    tradeoff = partial(correlates, comparison, x="mean_stability", y="best", place=PLACE, arms=arms)
    exact = (whole(size), fits(comparison, "mean_stability", "best", arms=arms), moves(comparison, arms=arms))
    claims = [
        tradeoff(
            f"{tag}-tradeoff",
            f"Over the runs of three ways to prune {panel}, best test accuracy falls with mean stability.",
            region=Direction("less"),
        ),
        tradeoff(
            f"{tag}-tradeoff-r",
            f"That correlation is {published.r} in {panel} (tolerance: Fisher's interval at 30 runs).",
            region=Value(published.r, published.reach),
            preconditions=exact,
        ),
        has_p_value(
            comparison,
            f"{tag}-tradeoff-p",
            f"Its p-value is {published.p:g} (tolerance: at the farther end of Fisher's interval at 30 runs).",
            arms=arms,
            x="mean_stability",
            y="best",
            side="less",
            p=published.p,
            runs=30,
            tolerance=published.p_reach,
            place=PLACE,
            preconditions=exact,
        ),
        compares(
            comparison,
            f"{tag}-unstable-beats-stable",
            f"Pruning the largest filters of {panel} at the high rate beats pruning the smallest at the low rate.",
            arm=roles["L13"],
            over=roles["S1"],
            place=PLACE,
        ),
        compares(
            comparison,
            f"{tag}-unstable-beats-none",
            f"Pruning the largest filters of {panel} at the high rate beats no pruning.",
            arm=roles["L13"],
            over=NONE,
            place=PLACE,
        ),
        compares(
            comparison,
            f"{tag}-large-is-unstable",
            f"Pruning the largest filters of {panel} at the high rate is less stable than the smallest at the same.",
            arm=roles["L13"],
            over=roles["S13"],
            quantity="mean_stability",
            region=Direction("less"),
            unit="points of mean stability, Prune_L minus Prune_S",
            place=PLACE,
        ),
        compares(
            comparison,
            f"{tag}-unstable-beats-none-final",
            f"The same as {tag}-unstable-beats-none without selection: after the last epoch, on the whole test set.",
            arm=roles["L13"],
            over=NONE,
            quantity="test",
            basis="proposed",
            place="the final accuracy is not reported there",
        ),
    ]
    drawn = (NONE, *arms)
    claims += [
        within(
            comparison,
            f"{tag}-window",
            f"Best accuracy of every arm of {panel} is between {published.low:g} and {published.high:g} %.",
            arms=drawn,
            quantity="best",
            low=published.low,
            high=published.high,
            place=f"{PLACE} (ends of an axis in the authors' figure script)",
            preconditions=(whole(size), fits(comparison, "best", arms=drawn)),
        ),
        recovers(
            comparison, f"{tag}-recovers", arm=roles["L13"], place="Bartoldson et al. 2020, section 3.1"
        ),
        smaller(
            comparison,
            f"{tag}-parameters-gone",
            arm=roles["L13"],
            percent={"VGG11": 42.0, "ResNet18": 46.0}[panel],
            count={"VGG11": "own", "ResNet18": "structural"}[panel],
            size=size,
            place=PLACE,
        ),
    ]
    return (*claims, *_drops(comparison, panel, roles, size))


def _drops(comparison: Comparison, panel: str, roles: Mapping[str, str], size: EventSize) -> list[Claim]:
    """How much single events cost, as far as the authors' figure scripts say it."""
    events = {"VGG11": {"L13": 7.0}, "ResNet18": {"S13": 7.0, "L13": 9.0}}[panel]
    return [
        is_number(
            comparison,
            f"{panel.lower()}-worst-drop-{role[0].lower()}",
            f"The worst event of {roles[role]} in {panel} costs about {cost:g} points of test accuracy.",
            arm=roles[role],
            quantity="worst_drop",
            value=cost,
            tolerance=3.0,
            basis="proposed",
            place=f"{PLACE}, arrows (from the authors' figure script, near epoch 250; tolerance proposed)",
            preconditions=(whole(size), fits(comparison, arms=(roles[role],))),
        )
        for role, cost in events.items()
    ]
