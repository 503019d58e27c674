"""bartoldson2019/fig3: larger events of pruning, their number fixed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from prunescope.papers.bartoldson.pruning import SHORT
from prunescope.papers.bartoldson.sizes import PAPER_2019, Size, words
from prunescope.papers.bartoldson.statements import fits
from prunescope.papers.bartoldson2019 import setting, sweeps
from prunescope.papers.bartoldson2019.setting import FAST, ScoreName
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2019, section 3.2 and Figure 3"


class Settings(Size):
    """How much is run, and at which rates: percent of the last convolution an event; of the others half of it.

    targets: by their subscripts; S and L are needed. The paper's x axis ends at 30; the rates between are
    proposed here.
    """

    rates: tuple[Annotated[float, Field(gt=0, le=30)], ...] = Field(
        default=(5.0, 10.0, 15.0, 20.0, 25.0, 30.0), min_length=2
    )
    targets: sweeps.Targets = ("S", "R", "L")


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(
            **setting.SCALES["smoke"].model_dump() | {"compress": 45.0},
            rates=(10.0, 20.0),
            targets=("S", "L"),
        ),
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
            Claim(
                "target-hardly-matters-l2",
                "Scored by l2 norms, pruning the smallest or the largest makes little difference to accuracy.",
                basis="paper",
                place=f"{PLACE} (the margin is proposed here)",
                region=Equivalence(0.3),
                sample=lambda r: (
                    sweep.over_rates(r, "best", "l2", "L") - sweep.over_rates(r, "best", "l2", "S")
                ),
                preconditions=(fits(sweep.comparison),),
                unit="percentage points of best accuracy, Prune_L minus Prune_S, mean over rates",
            ),
        ),
    )


def _order(
    sweep: sweeps.Sweep, name: str, says: str, *, quantity: str, score: ScoreName, side: str = "greater"
) -> Claim:
    """Largest minus smallest, the mean over rates."""
    return Claim(
        name,
        says,
        basis="paper",
        place=PLACE,
        region=Direction("greater" if side == "greater" else "less"),
        sample=lambda r: (
            sweep.over_rates(r, quantity, score, "L") - sweep.over_rates(r, quantity, score, "S")
        ),
        preconditions=(fits(sweep.comparison),),
        unit=f"percentage points of {quantity.replace('_', ' ')}, Prune_L minus Prune_S, mean over rates",
    )
