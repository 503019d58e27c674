"""bartoldson2020/fig4: Is there a trade-off with SGD, weight decay and augmentation, and in small networks?

Three residual networks, a tenth of whose convolutions is pruned at two rates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from pydantic import Field

from prunescope.papers.bartoldson import PAPERS, arms, figures
from prunescope.papers.bartoldson.arms import L1
from prunescope.papers.bartoldson.claims import LESS, MORE, Says, as_published, moves
from prunescope.papers.bartoldson.quantities import STABILITIES, Comparison
from prunescope.papers.bartoldson.scales import (
    RESNET18_SGD,
    RESNET20_SGD,
    RESNET56_SGD,
    Distinct,
    EventSize,
    Group,
    scales_of,
    words,
)
from prunescope.studies.claim import Claim
from prunescope.studies.quantity import side_by_side
from prunescope.studies.region import Near
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "2 hours on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Figure 4"
PLACE = "Bartoldson et al. 2020, section 3.2 and Figure 4"
Name = Literal["ResNet18", "ResNet20", "ResNet56"]
PERIODS: Mapping[str, int] = MappingProxyType({"3 %": 30, "5 %": 60})
"""Epochs between events by iterative rate: after epochs 41, 71, 101, and after 41 and 101."""


@dataclass(frozen=True)
class Network:
    """A network with where the authors' figure script puts its annotation: accuracy and stability, percent."""

    group: Group
    accuracy: float
    stability: float


NETWORKS: Mapping[str, Network] = MappingProxyType(
    {
        "ResNet18": Network(RESNET18_SGD, 94.1, 94.0),
        "ResNet20": Network(RESNET20_SGD, 90.9, 71.0),
        "ResNet56": Network(RESNET56_SGD, 91.5, 65.0),
    }
)


class Settings(EventSize):
    """How much is run, and of which networks."""

    networks: Distinct[Name] = Field(default=("ResNet18", "ResNet20", "ResNet56"), min_length=1)


SCALES = scales_of(
    Settings,
    smoke={"width": 0.25, "networks": ("ResNet20",)},
    laptop={"width": 1.0, "networks": ("ResNet20",)},
)


def comparison(group: Group, settings: EventSize) -> Comparison:
    """No pruning, and a tenth of every convolution inside the blocks at two rates, smallest l1 norms first."""
    layers = arms.blocks(group.recipe(settings).task.network, start=40, end=100, fraction=0.1)
    made = [
        arms.pruned(group, layers, settings, "S", period=period, score=L1, name=f"Prune_S {rate}")
        for rate, period in PERIODS.items()
    ]
    return Comparison((arms.plain(group, settings), *made), observables=arms.observables(settings))


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    panels = {name: comparison(NETWORKS[name].group, settings) for name in settings.networks}
    pruned = tuple(f"Prune_S {rate}" for rate in PERIODS)
    scatters = [
        figures.scatter(
            panels,
            "mean_stability",
            quantity,
            arms=pruned,
            name=f"fig4-{place}",
            title=f"Figure 4: stability and {what}",
            claims=[claim for name, one in panels.items() for claim in claims(name, one, settings)],
        )
        for place, quantity, what, claims in (
            ("top", "best", "accuracy", _accuracy),
            ("bottom", "gap", "gap", _gap),
        )
    ]
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=(
            *scatters,
            figures.correlations(
                panels,
                [(x, y) for x in STABILITIES for y in ("best", "final", "gap", "final_gap")],
                arms=pruned,
                name="fig4-correlations",
                title="Correlations of stability with accuracy and with the gap",
            ),
            figures.means(
                panels,
                ("best", "final", "gap", "final_gap", "mean_stability", "train"),
                name="fig4-means",
                title="Means of every arm",
            ),
        ),
        notes=(
            "Layers of 16 filters lose nothing at some events of the lower rate: a tenth of 16 is two filters' share "
            "rounded down to one.",
            "These networks need not fit their training set; the gap is shown instead, as in the paper.",
            "No correlation is claimed by its value: the text at hand prints none for this figure.",
        ),
    )


def _accuracy(network: str, one: Comparison, size: EventSize) -> Iterator[Claim]:
    """Less stable is more accurate, and how far both go."""
    says, tag = Says(one, place=PLACE, arms=one.pruned), network.lower()
    yield says.correlation(
        f"{tag}-accuracy",
        f"Among pruned {network}s, lower stability goes with higher best accuracy.",
        "mean_stability",
        "best",
        LESS,
        needs=(moves(one, arms=one.pruned),),
    )
    script = Says(
        one, place=f"{PLACE} (where the authors' figure script puts its annotation)", basis="proposed"
    )
    accuracy, stability = NETWORKS[network].accuracy, NETWORKS[network].stability
    yield script(
        f"{tag}-best",
        f"Pruned at the higher rate, {network} reaches about {accuracy} % (tolerance proposed).",
        one.value(one.pruned[-1], "best"),
        Near(accuracy, 1.0),
        needs=(as_published(size),),
    )
    both = side_by_side([one.value(arm, "mean_stability") for arm in one.pruned])
    yield script(
        f"{tag}-stability",
        f"Mean stability of pruned {network}s goes down to about {stability:g} % (tolerance proposed).",
        both.map(lambda values: values.min(axis=1), label="the lower of both rates in every replicate"),
        Near(stability, 5.0),
        needs=(as_published(size),),
    )


def _gap(network: str, one: Comparison, size: EventSize) -> Iterator[Claim]:
    """Less stable generalizes better."""
    yield Says(one, place=PLACE, arms=one.pruned).correlation(
        f"{network.lower()}-gap",
        f"Among pruned {network}s, lower stability goes with a smaller generalization gap.",
        "mean_stability",
        "gap",
        MORE,
        needs=(moves(one, arms=one.pruned),),
    )
