"""bartoldson2019/fig3: Do larger pruning events disrupt more and generalize better?

Larger events of pruning, their number fixed.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, field_validator

from prunescope.papers.bartoldson import PAPERS
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, fits
from prunescope.papers.bartoldson.scales import FAST, SHORT, Ascending, EventSize, scales_of, words
from prunescope.papers.bartoldson.v2019_sweeps import Letter, ScoreName, Sweep, Targets, sweep
from prunescope.studies.claim import Claim
from prunescope.studies.region import Equivalence, Region
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "3 hours on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Figure 3"
PLACE = "Bartoldson et al. 2019, section 3.2 and Figure 3"


class Settings(EventSize):
    """How much is run, and at which rates: percent of the last convolution an event; of the others half of it.

    targets: by their subscripts; S and L are needed. The paper's x axis ends at 30; the rates between are
    proposed here.
    """

    rates: Ascending[Annotated[float, Field(gt=0, le=30)]] = Field(
        default=(5.0, 10.0, 15.0, 20.0, 25.0, 30.0), min_length=2
    )
    targets: Targets = ("S", "R", "L")

    @field_validator("targets")
    @classmethod
    def _compared(cls, targets: Targets) -> Targets:
        if missing := {"S", "L"} - set(targets):
            raise ValueError(
                f"targets={list(targets)} lacks {sorted(missing)}, which the claims compare; add it"
            )
        return targets


SCALES = scales_of(
    Settings, smoke={"compress": 45.0, "rates": (10.0, 20.0)}, laptop={"rates": (5.0, 15.0, 30.0)}
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    half = {rate: (rate / 2, rate / 2, rate / 2, rate) for rate in settings.rates}
    ways = [(rate, SHORT.at_rate(settings, FAST, shares), FAST, "") for rate, shares in half.items()]
    rates = sweep(settings, settings.targets, ways)
    claims = {
        "mean_drop": [
            rates.rises(
                "mean_drop", name="drop-rises", says="Drops grow with the iterative rate.", place=PLACE
            ),
            *_drops(rates, settings),
        ],
        "best": [
            rates.rises(
                "best", name="accuracy-rises", says="Accuracy grows with the iterative rate.", place=PLACE
            ),
            *_accuracy(rates, settings),
        ],
    }
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2019"],
        figures=rates.figures("mean_drop", tag="fig3", heading="Figure 3", claims=claims),
        notes=("Single values are in the paper's curves only: directions are claimed.",),
    )


def _order(
    rates: Sweep,
    name: str,
    says: str,
    quantity: str,
    score: ScoreName,
    pair: tuple[Letter, Letter],
    region: Region,
    place: str = PLACE,
) -> Claim:
    """One target minus another, the mean over rates."""
    first, second = (rates.over_rates(quantity, score, letter) for letter in pair)
    needs = (fits(rates.one, quantity),)
    return Says(rates.one, place=place)(name, says, first - second, region, needs=needs)


def _drops(rates: Sweep, settings: Settings) -> Iterator[Claim]:
    """Which target disrupts more depends on the score."""
    more = "Scored by E[BN], pruning the largest disrupts more than pruning"
    name = "large-is-less-stable"
    yield _order(
        rates, f"{name}-ebn", f"{more} the smallest.", "mean_drop", "E[BN]", ("L", "S"), MORE
    )
    yield _order(
        rates,
        "small-is-less-stable-l2",
        "Scored by l2 norms, pruning the smallest disrupts more than pruning the largest.",
        "mean_drop",
        "l2",
        ("L", "S"),
        LESS,
    )
    if "R" in settings.targets:
        random = f"{name}-than-random-ebn"
        yield _order(rates, random, f"{more} at random.", "mean_drop", "E[BN]", ("L", "R"), MORE)


def _accuracy(rates: Sweep, settings: Settings) -> Iterator[Claim]:
    """With E[BN] the target that disrupts more generalizes better; with norms it hardly matters."""
    better = "Scored by E[BN], pruning the largest generalizes better than pruning"
    yield _order(
        rates, "large-is-better-ebn", f"{better} the smallest.", "best", "E[BN]", ("L", "S"), MORE
    )
    pairs: list[tuple[Letter, Letter]] = [("L", "S")]
    if "R" in settings.targets:
        random = "large-is-better-than-random-ebn"
        yield _order(rates, random, f"{better} at random.", "best", "E[BN]", ("L", "R"), MORE)
        pairs += [("L", "R"), ("R", "S")]
    for first, second in pairs:
        yield _order(
            rates,
            f"target-hardly-matters-l2-{first.lower()}-{second.lower()}",
            f"Scored by l2 norms, Prune_{first} and Prune_{second} differ little in accuracy.",
            "best",
            "l2",
            (first, second),
            Equivalence(0.3),
            f"{PLACE} (the margin is proposed here)",
        )
