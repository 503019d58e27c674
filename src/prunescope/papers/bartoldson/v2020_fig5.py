"""bartoldson2020/fig5: Does the benefit of pruning need the permanent removal of filters?

Filters that go for good, that are zeroed for a while, or that are disturbed for a while.
"""

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures
from prunescope.papers.bartoldson.claims import MORE, Claims, Says
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import ZEROED, Figures, builder
from prunescope.papers.bartoldson.scales import VGG11, Ascending, Count, EventSize, scales_of

COST = {"smoke": "a minute or less", "laptop": "2 hours", "paper": "months"}
FIGURE = "Figure 5"
PLACE = "Bartoldson et al. 2020, section 3.3 and Figure 5"


class Settings(EventSize):
    """How much is run.

    batches: training batches for which noise lasts, one arm each, ascending.
    test_batches: batches of a test pass, during which the authors' code adds Gaussian noise too; see `NoiseUnits`.
    """

    batches: Ascending[Count] = Field(default=(1, 50, 1105), min_length=2)
    test_batches: int = Field(default=79, ge=0)


SCALES = scales_of(
    Settings, smoke={"batches": (1, 2), "test_batches": 2}, laptop={"batches": (1, 5, 113), "test_batches": 8}
)
"""At laptop scale epochs have 40 batches for the paper's 391:
5, 113 and a test pass of 8 last as long in epochs as 50, 1105 and 79."""


def comparisons(size: Settings) -> dict[str, Comparison]:
    """The arms by kind of noise, beside pruning that leaves normalization alone, as zeroing does.

    Zeroing: targeted filters at 0 for so many batches, then back from 0.
    Gaussian noise: on targeted filters before each of so many batches.
    """
    pruned, test = arms.reference(size), size.test_batches
    zeroing = [arms.noisy(size, f"Zeroing {n}", ps.ZeroUnits, batches=n) for n in size.batches]
    gaussian = [arms.noisy(size, f"Gaussian {n}", ps.NoiseUnits, batches=n, test_batches=test) for n in size.batches]
    return {
        "zeroing": arms.compared(VGG11, size, pruned, *zeroing),
        "Gaussian noise": arms.compared(VGG11, size, *gaussian),
    }


def _figures(size: Settings) -> Figures:
    panels, shown = comparisons(size), ("best", "final", "mean_stability")
    yield figures.dynamics("fig5", "Figure 5: test accuracy under temporary noise", panels)
    yield figures.means("fig5-means", "Means of every arm", panels, shown, _claims(size, *panels.values()))


def _claims(size: Settings, zeroed: Comparison, noisy: Comparison) -> Claims:
    """Noise that lasts long enough does what pruning does."""
    says, (none, pruned, *_), batches = Says(PLACE), zeroed.names, size.batches
    shortest, middle, longest = batches[0], batches[len(batches) // 2], batches[-1]
    zeroing, what = f"Zeroing {middle}", f"Zeroing for {middle} batches"
    alike = zeroed.gap(zeroing, pruned)
    yield says("zeroing-is-pruning", f"{what} generalizes like pruning for good.", alike, ps.Equivalence(0.3))
    alike = zeroed.gap(zeroing, pruned, "mean_stability")
    yield says("zeroing-is-as-unstable", f"{what} is as unstable as pruning for good.", alike, ps.Equivalence(3.0))
    yield says("pruning-helps", "Pruning the largest filters beats no pruning.", zeroed.gap(pruned, none), MORE)
    what = f"Gaussian noise for {longest} batches beats"
    yield says("gaussian-helps", f"{what} no noise.", noisy.gap(f"Gaussian {longest}", none), MORE)
    longer = noisy.gap(f"Gaussian {longest}", f"Gaussian {shortest}")
    long = Says(f'{PLACE} ("as long as the noise is applied for enough batches")')
    yield long("longer-is-better", f"{what} noise for {shortest}.", longer, MORE)


def _draws(size: Settings) -> str:
    return (
        "Batches are training batches. The authors' code counts and disturbs test batches too; here a test pass leaves "
        "weights as they are. Right after an event, zeroed filters are at 0, and Gaussian noise is there with all "
        "draws that the next training batch sees: one for a single batch, else one more than test_batches "
        f"({size.test_batches}), which the authors' pass gathers one by one while it goes on."
    )


build = builder(
    __doc__,
    _figures,
    _draws,
    ZEROED,
    "Prune_L of this figure leaves gamma and beta of pruned filters alone, unlike that of Figure 2.",
)
