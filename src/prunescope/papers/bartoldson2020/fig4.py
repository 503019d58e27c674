"""bartoldson2020/fig4: the trade-off under SGD, weight decay and augmentation, in three residual networks."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from pydantic import Field

from prunescope.papers.bartoldson import pruning, views
from prunescope.papers.bartoldson.arms import STABILITIES, Comparison, arm
from prunescope.papers.bartoldson.sizes import PAPER_2020, Distinct, EventSize, words
from prunescope.papers.bartoldson.statements import correlates, is_number, moves, whole
from prunescope.papers.bartoldson.training import GROUPS, Name
from prunescope.papers.bartoldson2020 import setting
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction, Value
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2020, section 3.2 and Figure 4"
Network = Literal["ResNet18", "ResNet20", "ResNet56"]
RATES: Mapping[str, int] = MappingProxyType({"3 %": 30, "5 %": 60})
"""Epochs between events by iterative rate: after epochs 41, 71, 101, and after 41 and 101."""
_GROUPS: Mapping[str, Name] = MappingProxyType(
    {"ResNet18": "resnet18-sgd", "ResNet20": "resnet20-sgd", "ResNet56": "resnet56-sgd"}
)


class Settings(EventSize):
    """How much is run, and of which networks."""

    networks: Distinct[Network] = Field(default=("ResNet18", "ResNet20", "ResNet56"), min_length=1)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**setting.SMOKE.model_dump() | {"width": 0.25}, networks=("ResNet20",)),
        "laptop": Settings(**setting.LAPTOP.model_dump() | {"width": 1.0}, networks=("ResNet20",)),
        "paper": Settings(),
    }
)


def comparison(network: Network, settings: EventSize) -> Comparison:
    """No pruning, and a tenth of every convolution inside the blocks at two rates, smallest l1 norms first."""
    group = GROUPS[_GROUPS[network]]
    layers = pruning.blocks(group.recipe(settings).task.network, start=40, end=100, fraction=0.1)
    arms = [pruning.plain_arm(group, settings)]
    for name, period in RATES.items():
        recipe = pruning.prune(
            group.recipe(settings),
            layers,
            settings,
            period=period,
            target="smallest",
            score=FilterNorm(order=1),
        )
        rate = layers.rate(settings, period)
        arms.append(arm(f"Prune_S {name}", recipe, pruning.replicates_of(group, settings), rate=rate))
    return Comparison(tuple(arms), look=setting.look(settings))


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    panels: dict[str, Comparison] = {name: comparison(name, settings) for name in settings.networks}
    pruned = tuple(f"Prune_S {name}" for name in RATES)
    return Study(
        "bartoldson2020/fig4",
        "Is there a trade-off with SGD, weight decay and augmentation, and in small networks?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=[node for one in panels.values() for node in one.nodes],
        figures=(
            views.scatter(
                panels,
                "mean_stability",
                "best",
                arms=pruned,
                name="fig4-top",
                title="Figure 4: stability and accuracy",
            ),
            views.scatter(
                panels,
                "mean_stability",
                "gap",
                arms=pruned,
                name="fig4-bottom",
                title="Figure 4: stability and gap",
            ),
            views.correlations(
                panels,
                [(x, y) for x in STABILITIES for y in ("best", "final", "gap", "final_gap")],
                arms=pruned,
                name="fig4-correlations",
                title="Correlations of stability with accuracy and with the gap",
            ),
            views.means(
                panels,
                ("best", "final", "gap", "final_gap", "mean_stability", "train"),
                name="fig4-means",
                title="Means of every arm",
            ),
        ),
        claims=tuple(
            claim for network, one in panels.items() for claim in _claims(network, one, pruned, settings)
        ),
        notes=(
            "Layers of 16 filters lose nothing at some events of the lower rate: a tenth of 16 is two filters' share "
            "rounded down to one.",
            "These networks need not fit their training set; the gap is shown instead, as in the paper.",
            "No correlation is claimed by its value: the text at hand prints none for this figure.",
        ),
    )


def _claims(network: str, one: Comparison, pruned: tuple[str, ...], size: EventSize) -> tuple[Claim, ...]:
    tag = network.lower()
    ready = (moves(one, arms=pruned),)
    stability = {"ResNet18": 94.0, "ResNet20": 71.0, "ResNet56": 65.0}[network]
    accuracy = {"ResNet18": 94.1, "ResNet20": 90.9, "ResNet56": 91.5}[network]
    return (
        correlates(
            one,
            f"{tag}-accuracy",
            f"Among pruned {network}s, lower stability goes with higher best accuracy.",
            x="mean_stability",
            y="best",
            region=Direction("less"),
            arms=pruned,
            place=PLACE,
            preconditions=ready,
        ),
        correlates(
            one,
            f"{tag}-gap",
            f"Among pruned {network}s, lower stability goes with a smaller generalization gap.",
            x="mean_stability",
            y="gap",
            region=Direction("greater"),
            arms=pruned,
            place=PLACE,
            preconditions=ready,
        ),
        is_number(
            one,
            f"{tag}-best",
            f"Pruned at the higher rate, {network} reaches about {accuracy} % (tolerance proposed).",
            arm=pruned[-1],
            quantity="best",
            value=accuracy,
            tolerance=1.0,
            basis="proposed",
            place=f"{PLACE} (where the authors' figure script puts its annotation)",
            preconditions=(whole(size),),
        ),
        Claim(
            f"{tag}-stability",
            f"Mean stability of pruned {network}s goes down to about {stability:g} % (tolerance proposed).",
            basis="proposed",
            place=f"{PLACE} (where the authors' figure script puts its annotation)",
            region=Value(stability, 5.0),
            sample=lambda r: np.min([one.values(r, name, "mean_stability") for name in pruned], axis=0),
            preconditions=(whole(size),),
            unit="% mean stability, the lower of both rates in every replicate",
        ),
    )
