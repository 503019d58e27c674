"""bartoldson2020/fig5: Does the benefit of pruning need the permanent removal of filters?

Filters that go for good, that are zeroed for a while, or that are disturbed for a while.
"""

from pydantic import Field

from prunescope.papers.bartoldson import PAPERS, arms, figures
from prunescope.papers.bartoldson.arms import L2, NONE
from prunescope.papers.bartoldson.claims import Says
from prunescope.papers.bartoldson.quantities import Comparison
from prunescope.papers.bartoldson.scales import (
    FAST,
    VGG11,
    VGG11_LAYERS,
    Ascending,
    Count,
    EventSize,
    scales_of,
    words,
)
from prunescope.studies.study import Study, titled
from prunescope.training.interventions import NoiseUnits, ZeroUnits

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "2 hours on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Figure 5"
PLACE = "Bartoldson et al. 2020, section 3.3 and Figure 5"


class Settings(EventSize):
    """How much is run, and for how many training batches noise lasts, ascending.

    test_batches: batches of a test pass, during which the authors' code adds Gaussian noise too; see `NoiseUnits`.
    """

    batches: Ascending[Count] = Field(default=(1, 50, 1105), min_length=2)
    test_batches: int = Field(default=79, ge=0)


SCALES = scales_of(
    Settings,
    smoke={"batches": (1, 2), "test_batches": 2},
    laptop={"batches": (1, 5, 113), "test_batches": 8},
)
"""At laptop scale epochs have 40 batches for the paper's 391:
5, 113 and a test pass of 8 last as long in epochs as 50, 1105 and 79."""


def comparisons(size: Settings) -> dict[str, Comparison]:
    """The arms by kind of noise.

    Zeroing: targeted filters at 0 for so many batches, then back from 0; their normalization is left alone, as that of the
    filters that are pruned here is. Gaussian: noise on targeted filters before each of so many batches.
    """
    layers, kept = VGG11_LAYERS.schedules(size, FAST), ", BN kept"
    plain, seen = arms.plain(VGG11, size), arms.observables(size)
    pruned = arms.pruned(
        VGG11, VGG11_LAYERS, size, "L", period=FAST, normalization_follows=False, suffix=kept
    )
    zeroing, gaussian = [], []
    for count in size.batches:
        zero = ZeroUnits(layers=layers, score=L2, batches=count, allow_idle_events=True)
        noise = NoiseUnits(
            layers=layers, score=L2, batches=count, test_batches=size.test_batches, allow_idle_events=True
        )
        zeroing.append(arms.noisy(size, f"Zeroing {count}", zero))
        gaussian.append(arms.noisy(size, f"Gaussian {count}", noise))
    return {
        "zeroing": Comparison((plain, pruned, *zeroing), observables=seen),
        "Gaussian noise": Comparison((plain, *gaussian), observables=seen),
    }


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    panels = comparisons(settings)
    zeroed, noisy = (Says(one, place=PLACE) for one in panels.values())
    shortest, *_, longest = settings.batches
    middle, pruned = settings.batches[len(settings.batches) // 2], panels["zeroing"].pruned[0]
    claims = (
        zeroed.same(
            "zeroing-is-pruning",
            f"Zeroing for {middle} batches generalizes like pruning for good.",
            f"Zeroing {middle}",
            pruned,
            margin=0.3,
        ),
        zeroed.same(
            "zeroing-is-as-unstable",
            f"Zeroing for {middle} batches is as unstable as pruning for good.",
            f"Zeroing {middle}",
            pruned,
            "mean_stability",
            margin=3.0,
        ),
        zeroed.gap("pruning-helps", "Pruning the largest filters beats no pruning.", pruned, NONE),
        noisy.gap(
            "gaussian-helps",
            f"Gaussian noise for {longest} batches beats no noise.",
            f"Gaussian {longest}",
            NONE,
        ),
        noisy.gap(
            "longer-is-better",
            f"Gaussian noise for {longest} batches beats noise for {shortest}.",
            f"Gaussian {longest}",
            f"Gaussian {shortest}",
            place=f'{PLACE} ("as long as the noise is applied for enough batches")',
        ),
    )
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            figures.dynamics(panels, name="fig5", title="Figure 5: test accuracy under temporary noise"),
            figures.means(
                panels,
                ("best", "final", "mean_stability"),
                name="fig5-means",
                title="Means of every arm",
                claims=claims,
            ),
        ),
        notes=(
            "Batches are training batches. The authors' code counts and disturbs test batches too; here a test pass "
            "leaves weights as they are. Right after an event, zeroed filters are at 0, and Gaussian noise is there "
            "with all draws that the next training batch sees: one for a single batch, else one more than "
            f"test_batches ({settings.test_batches}), which the authors' pass gathers one by one while it goes on.",
            "Prune_L of this figure leaves gamma and beta of pruned filters alone, unlike that of Figure 2.",
        ),
    )
