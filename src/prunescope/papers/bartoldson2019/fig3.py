"""bartoldson2019/fig3: larger events of pruning, their number fixed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, field_validator

from prunescope.papers.bartoldson.pruning import SHORT
from prunescope.papers.bartoldson.sizes import PAPER_2019, Ascending, EventSize, words
from prunescope.papers.bartoldson.statements import fits
from prunescope.papers.bartoldson2019 import setting, sweeps
from prunescope.papers.bartoldson2019.setting import FAST, ScoreName
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2019, section 3.2 and Figure 3"


class Settings(EventSize):
    """How much is run, and at which rates: percent of the last convolution an event; of the others half of it.

    targets: by their subscripts; S and L are needed. The paper's x axis ends at 30; the rates between are
    proposed here.
    """

    rates: Ascending[Annotated[float, Field(gt=0, le=30)]] = Field(
        default=(5.0, 10.0, 15.0, 20.0, 25.0, 30.0), min_length=2
    )
    targets: sweeps.Targets = ("S", "R", "L")

    @field_validator("targets")
    @classmethod
    def _compared(cls, targets: sweeps.Targets) -> sweeps.Targets:
        if missing := {"S", "L"} - set(targets):
            raise ValueError(
                f"targets={list(targets)} lacks {sorted(missing)}, which the claims compare; add it"
            )
        return targets


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SCALES["smoke"].model_dump() | {"compress": 45.0}, rates=(10.0, 20.0)),
        "laptop": Settings(**setting.SCALES["laptop"].model_dump(), rates=(5.0, 15.0, 30.0)),
        "paper": Settings(),
    }
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    made = []
    for score in sweeps.SCORES:
        for letter in settings.targets:
            for rate in settings.rates:
                layers = SHORT.at_rate(settings, FAST, (rate / 2, rate / 2, rate / 2, rate))
                one = setting.scored_arm(
                    settings, score, letter, layers=layers, period=FAST, group="vgg11-short"
                )
                made.append((score, letter, rate, one))
    sweep = sweeps.sweep(settings, made)
    return Study(
        "bartoldson2019/fig3",
        "Do larger pruning events disrupt more and generalize better?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2019,
        nodes=sweep.comparison.nodes,
        figures=sweep.figures("mean_drop", tag="fig3", heading="Figure 3"),
        claims=(
            sweep.rises(
                "mean_drop", name="drop-rises", says="Drops grow with the iterative rate.", place=PLACE
            ),
            sweep.rises(
                "best", name="accuracy-rises", says="Accuracy grows with the iterative rate.", place=PLACE
            ),
            _order(
                sweep,
                "large-is-less-stable-ebn",
                "Scored by E[BN], pruning the largest disrupts more than pruning the smallest.",
                quantity="mean_drop",
                score="E[BN]",
            ),
            _order(
                sweep,
                "large-is-better-ebn",
                "Scored by E[BN], pruning the largest generalizes better than pruning the smallest.",
                quantity="best",
                score="E[BN]",
            ),
            _order(
                sweep,
                "small-is-less-stable-l2",
                "Scored by l2 norms, pruning the smallest disrupts more than pruning the largest.",
                quantity="mean_drop",
                score="l2",
                side="less",
            ),
            *_random(sweep, settings.targets),
            _similar(sweep, "L", "S"),
        ),
        notes=("Single values are in the paper's curves only: directions are claimed.",),
    )


def _order(
    sweep: sweeps.Sweep,
    name: str,
    says: str,
    *,
    quantity: str,
    score: ScoreName,
    than: str = "S",
    side: Literal["greater", "less"] = "greater",
) -> Claim:
    """Largest minus another target, the mean over rates."""
    return Claim(
        name,
        says,
        basis="paper",
        place=PLACE,
        region=Direction(side),
        sample=_difference(sweep, quantity, score, "L", than),
        preconditions=(fits(sweep.comparison, quantity),),
        unit=f"percentage points of {quantity.replace('_', ' ')}, Prune_L minus Prune_{than}, mean over rates",
    )


def _random(sweep: sweeps.Sweep, targets: sweeps.Targets) -> list[Claim]:
    """What the paper says of random targets, if they are there."""
    if "R" not in targets:
        return []
    orders = [
        _order(
            sweep,
            f"large-is-{tag}-than-random-ebn",
            f"Scored by E[BN], pruning the largest {says} than pruning at random.",
            quantity=quantity,
            score="E[BN]",
            than="R",
        )
        for tag, says, quantity in (
            ("less-stable", "disrupts more", "mean_drop"),
            ("better", "generalizes better", "best"),
        )
    ]
    return [*orders, _similar(sweep, "L", "R"), _similar(sweep, "R", "S")]


def _similar(sweep: sweeps.Sweep, one: str, other: str) -> Claim:
    """By l2 norms the target hardly matters."""
    return Claim(
        f"target-hardly-matters-l2-{one.lower()}-{other.lower()}",
        f"Scored by l2 norms, Prune_{one} and Prune_{other} differ little in accuracy.",
        basis="paper",
        place=f"{PLACE} (the margin is proposed here)",
        region=Equivalence(0.3),
        sample=_difference(sweep, "best", "l2", one, other),
        preconditions=(fits(sweep.comparison, "best"),),
        unit=f"percentage points of best accuracy, Prune_{one} minus Prune_{other}, mean over rates",
    )


def _difference(
    sweep: sweeps.Sweep, quantity: str, score: ScoreName, one: str, other: str
) -> Callable[[Results], Numbers]:
    return lambda r: sweep.over_rates(r, quantity, score, one) - sweep.over_rates(r, quantity, score, other)
