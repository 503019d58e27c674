"""bartoldson2020/fig5: filters that go for good, that are zeroed for a while, or that are disturbed for a while."""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from prunescope.papers.bartoldson import pruning, views
from prunescope.papers.bartoldson.arms import Arm, Comparison, arm
from prunescope.papers.bartoldson.pruning import NONE, VGG11
from prunescope.papers.bartoldson.sizes import PAPER_2020, Ascending, Count, EventSize, words
from prunescope.papers.bartoldson.statements import compares, same
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2020 import setting
from prunescope.runs.graph.families import during_training
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.studies.claim import Claim
from prunescope.studies.study import Study
from prunescope.training.interventions import Intervention, NoiseUnits, ZeroUnits

PLACE = "Bartoldson et al. 2020, section 3.3 and Figure 5"


class Settings(EventSize):
    """How much is run, and for how many training batches noise lasts, ascending.

    test_batches: batches of a test pass, during which the authors' code adds Gaussian noise too; see `NoiseUnits`.
    """

    batches: Ascending[Count] = Field(default=(1, 50, 1105), min_length=2)
    test_batches: int = Field(default=79, ge=0)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SMOKE.model_dump(), batches=(1, 2), test_batches=2),
        "laptop": Settings(**setting.LAPTOP.model_dump(), batches=(1, 5, 113), test_batches=8),
        "paper": Settings(),
    }
)
"""At laptop scale epochs have 40 batches for the paper's 391:
5, 113 and a test pass of 8 last as long in epochs as 50, 1105 and 79."""


def noise_arm(size: EventSize, name: str, noise: Intervention) -> Arm:
    """VGG11 under temporary noise on the filters that pruning the largest at the high rate would take."""
    group = GROUPS["vgg11"]
    recipe = during_training(group.recipe(size), noise)
    return arm(name, recipe, pruning.replicates_of(group, size), rate=VGG11.rate(size, setting.FAST))


def zeroing(size: EventSize, batches: int) -> Arm:
    """Targeted filters at 0 for so many batches, then back from 0; their normalization is left alone."""
    layers = VGG11.schedules(size, setting.FAST)
    return noise_arm(
        size,
        f"Zeroing {batches}",
        ZeroUnits(layers=layers, score=FilterNorm(), batches=batches, allow_idle_events=True),
    )


def gaussian(size: EventSize, batches: int, test_batches: int) -> Arm:
    """Gaussian noise on targeted filters before each of so many batches."""
    layers = VGG11.schedules(size, setting.FAST)
    noise = NoiseUnits(
        layers=layers, score=FilterNorm(), batches=batches, test_batches=test_batches, allow_idle_events=True
    )
    return noise_arm(size, f"Gaussian {batches}", noise)


def reference(size: EventSize) -> Arm:
    """Prune_L of this figure, which leaves the normalization of pruned filters alone."""
    group = GROUPS["vgg11"]
    return pruning.filter_arm(
        group,
        VGG11,
        size,
        subscript="L",
        period=setting.FAST,
        normalization_follows=False,
        suffix=", BN kept",
    )


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    plain, pruned = pruning.plain_arm(GROUPS["vgg11"], settings), reference(settings)
    look = setting.look(settings)
    zeroed = [zeroing(settings, count) for count in settings.batches]
    noisy = [gaussian(settings, count, settings.test_batches) for count in settings.batches]
    panels = {
        "zeroing": Comparison((plain, pruned, *zeroed), look=look),
        "Gaussian noise": Comparison((plain, *noisy), look=look),
    }
    return Study(
        "bartoldson2020/fig5",
        "Does the benefit of pruning need the permanent removal of filters?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=list({node.id: node for one in panels.values() for node in one.nodes}.values()),
        figures=(
            views.dynamics(panels, name="fig5", title="Figure 5: test accuracy under temporary noise"),
            views.means(
                panels, ("best", "final", "mean_stability"), name="fig5-means", title="Means of every arm"
            ),
        ),
        claims=_claims(panels, settings, pruned.name),
        notes=(
            "Batches are training batches. The authors' code counts and disturbs test batches too; here a test pass "
            "leaves weights as they are. Right after an event, zeroed filters are at 0, and Gaussian noise is there "
            "with all draws that the next training batch sees: one for a single batch, else one more than "
            f"test_batches ({settings.test_batches}), which the authors' pass gathers one by one while it goes on.",
            "Prune_L of this figure leaves gamma and beta of pruned filters alone, unlike that of Figure 2.",
        ),
    )


def _claims(panels: Mapping[str, Comparison], settings: Settings, pruned: str) -> tuple[Claim, ...]:
    zeroed, noisy = panels.values()
    middle, longest = settings.batches[len(settings.batches) // 2], settings.batches[-1]
    return (
        same(
            zeroed,
            "zeroing-is-pruning",
            f"Zeroing for {middle} batches generalizes like pruning for good.",
            arm=f"Zeroing {middle}",
            over=pruned,
            margin=0.3,
            place=PLACE,
        ),
        same(
            zeroed,
            "zeroing-is-as-unstable",
            f"Zeroing for {middle} batches is as unstable as pruning for good.",
            arm=f"Zeroing {middle}",
            over=pruned,
            margin=3.0,
            quantity="mean_stability",
            place=PLACE,
        ),
        compares(
            zeroed,
            "pruning-helps",
            "Pruning the largest filters beats no pruning.",
            arm=pruned,
            over=NONE,
            place=PLACE,
        ),
        compares(
            noisy,
            "gaussian-helps",
            f"Gaussian noise for {longest} batches beats no noise.",
            arm=f"Gaussian {longest}",
            over=NONE,
            place=PLACE,
        ),
        compares(
            noisy,
            "longer-is-better",
            f"Gaussian noise for {longest} batches beats noise for {settings.batches[0]}.",
            arm=f"Gaussian {longest}",
            over=f"Gaussian {settings.batches[0]}",
            place=f'{PLACE} ("as long as the noise is applied for enough batches")',
        ),
    )
