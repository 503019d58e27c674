"""bartoldson2020/section2: pruning as the limit of Bernoulli noise: filters that are there in some batches only."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from prunescope.papers.bartoldson import curves, pruning, views
from prunescope.papers.bartoldson.arms import Arm, Comparison
from prunescope.papers.bartoldson.pruning import NONE, VGG11
from prunescope.papers.bartoldson.sizes import PAPER_2020, Ascending, EventSize, words
from prunescope.papers.bartoldson.statements import compares, same
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2020 import fig5, setting
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.studies.region import Direction
from prunescope.studies.study import Study
from prunescope.training.interventions import BernoulliUnits

PLACE = "Bartoldson et al. 2020, section 2, which says that pruning is p = 0 and runs nothing else"


class Settings(EventSize):
    """How much is run, and with which probabilities of being there, ascending; 0 is pruning and is always run."""

    keep: Ascending[Annotated[float, Field(gt=0, lt=1)]] = Field(default=(0.1, 0.5), min_length=1)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SMOKE.model_dump(), keep=(0.5,)),
        "laptop": Settings(**setting.LAPTOP.model_dump()),
        "paper": Settings(),
    }
)


def bernoulli(size: EventSize, keep: float) -> Arm:
    """From its event on, every filter that pruning the largest would take is there with this probability a batch."""
    layers = VGG11.schedules(size, setting.FAST)
    noise = BernoulliUnits(layers=layers, score=FilterNorm(), keep=keep, allow_idle_events=True)
    return fig5.noise_arm(size, f"Bernoulli {keep:g}", noise)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    plain = pruning.plain_arm(GROUPS["vgg11"], settings)
    pruned = pruning.filter_arm(GROUPS["vgg11"], VGG11, settings, subscript="L", period=setting.FAST)
    noisy = {keep: bernoulli(settings, keep) for keep in settings.keep}
    comparison = Comparison((plain, pruned, *noisy.values()), look=setting.look(settings))
    panels = {"VGG11": comparison}
    chances = [
        (0.0, comparison, pruned.name),
        *((keep, comparison, one.name) for keep, one in noisy.items()),
        (1.0, comparison, NONE),
    ]
    least, most = noisy[settings.keep[0]].name, noisy[settings.keep[-1]].name
    return Study(
        "bartoldson2020/section2",
        "Is pruning the limit of noise that takes filters away for single batches?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=comparison.nodes,
        figures=(
            views.dynamics(panels, name="section2", title="Test accuracy under Bernoulli noise"),
            *(
                curves.over(
                    {"VGG11": {"largest filters": chances}},
                    quantity,
                    name=f"section2-{quantity.replace('_', '-')}",
                    title=f"{views.label(quantity)}, over the probability of being there",
                    x_label="probability that a targeted filter is there (0: pruned, 1: untouched)",
                )
                for quantity in views.with_recalibrated(("best", "final", "mean_stability"), comparison)
            ),
            views.means(
                panels, ("best", "final", "mean_stability"), name="section2-means", title="Means of every arm"
            ),
        ),
        claims=(
            same(
                comparison,
                "rarely-there-is-pruned",
                f"Filters that are there in {100 * settings.keep[0]:g} % of the batches generalize like pruned ones.",
                arm=least,
                over=pruned.name,
                margin=0.3,
                basis="proposed",
                place=PLACE,
            ),
            compares(
                comparison,
                "rarer-is-less-stable",
                f"Filters that are there in {100 * settings.keep[-1]:g} % of the batches are more stable than pruned "
                "ones.",
                arm=most,
                over=pruned.name,
                quantity="mean_stability",
                region=Direction("greater"),
                basis="proposed",
                unit="points of mean stability",
                place=PLACE,
            ),
        ),
        notes=(
            "Stability is that of events at which filters are targeted. A look sees the draw of its batch: targeted "
            "filters are there or not by chance, and accuracy varies from look to look.",
        ),
    )
