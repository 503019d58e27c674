"""bartoldson2020/section2: Is pruning the limit of noise that takes filters away for single batches?

Bernoulli noise: filters that are there in some batches only.
"""

from typing import Annotated

from pydantic import Field

from prunescope.papers.bartoldson import PAPERS, arms, figures
from prunescope.papers.bartoldson.arms import L2, NONE
from prunescope.papers.bartoldson.claims import Says
from prunescope.papers.bartoldson.quantities import Comparison, label
from prunescope.papers.bartoldson.scales import (
    FAST,
    VGG11,
    VGG11_LAYERS,
    Ascending,
    EventSize,
    scales_of,
    words,
)
from prunescope.studies.study import Study, titled
from prunescope.training.interventions import BernoulliUnits

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "1.5 hours on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "section 2"
PLACE = "Bartoldson et al. 2020, section 2, which says that pruning is p = 0 and runs nothing else"


class Settings(EventSize):
    """How much is run, and with which probabilities of being there, ascending; 0 is pruning and is always run."""

    keep: Ascending[Annotated[float, Field(gt=0, lt=1)]] = Field(default=(0.1, 0.5), min_length=1)


SCALES = scales_of(Settings, smoke={"keep": (0.5,)})


def comparison(size: Settings) -> Comparison:
    """No pruning, pruning, and filters that are there with some probability a batch from the event on at which they go."""
    layers = VGG11_LAYERS.schedules(size, FAST)
    noise = {
        keep: BernoulliUnits(layers=layers, score=L2, keep=keep, allow_idle_events=True) for keep in size.keep
    }
    made = [arms.noisy(size, f"Bernoulli {keep:g}", way) for keep, way in noise.items()]
    pruned = arms.pruned(VGG11, VGG11_LAYERS, size, "L", period=FAST)
    return Comparison((arms.plain(VGG11, size), pruned, *made), observables=arms.observables(size))


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    one = comparison(settings)
    panels, quantities = {"VGG11": one}, ("best", "final", "mean_stability")
    pruned, rarest, *_ = one.pruned
    chances = [*zip((0.0, *settings.keep), one.pruned, strict=True), (1.0, NONE)]
    says = Says(one, place=PLACE, basis="proposed")
    claims = {
        "best": says.same(
            "rarely-there-is-pruned",
            f"Filters that are there in {100 * settings.keep[0]:g} % of the batches generalize like pruned ones.",
            rarest,
            pruned,
            margin=0.3,
        ),
        "mean_stability": says.gap(
            "rarer-is-less-stable",
            f"Filters that are there in {100 * settings.keep[-1]:g} % of the batches are more stable than pruned ones.",
            one.pruned[-1],
            pruned,
            "mean_stability",
        ),
    }
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            figures.dynamics(panels, name="section2", title="Test accuracy under Bernoulli noise"),
            *(
                figures.curves(
                    {"VGG11": {"largest filters": [(x, one.value(arm, quantity)) for x, arm in chances]}},
                    quantity,
                    name=f"section2-{quantity.replace('_', '-')}",
                    title=f"{label(quantity)}, over the probability of being there",
                    x_label="probability that a targeted filter is there (0: pruned, 1: untouched)",
                    claims=[claims[quantity]] if quantity in claims else [],
                )
                for quantity in one.with_recalibrated(quantities)
            ),
            figures.means(panels, quantities, name="section2-means", title="Means of every arm"),
        ),
        notes=(
            "Stability is that of events at which filters are targeted. A look sees the draw of its batch: targeted "
            "filters are there or not by chance, and accuracy varies from look to look.",
        ),
    )
