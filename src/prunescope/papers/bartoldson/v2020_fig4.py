"""bartoldson2020/fig4: Is there a trade-off with SGD, weight decay and augmentation, and in small networks?

Three residual networks, a tenth of whose convolutions is pruned at two rates.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import arms, figures, scales
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says, as_published
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import GAP, Figures, builder
from prunescope.papers.bartoldson.quantities import STABILITIES
from prunescope.papers.bartoldson.scales import Distinct, EventSize, Group, scales_of

COST = {"smoke": "a minute or less", "laptop": "2 hours", "paper": "months"}
FIGURE = "Figure 4"
PLACE = "Bartoldson et al. 2020, section 3.2 and Figure 4"
Name = Literal["ResNet18", "ResNet20", "ResNet56"]
PERIODS: Mapping[str, int] = {"3 %": 30, "5 %": 60}
"""Epochs between events by iterative rate: after epochs 41, 71, 101, and after 41 and 101."""
NETWORKS: Mapping[str, tuple[Group, float, float]] = {
    "ResNet18": (scales.RESNET18_SGD, 94.1, 94.0),
    "ResNet20": (scales.RESNET20_SGD, 90.9, 71.0),
    "ResNet56": (scales.RESNET56_SGD, 91.5, 65.0),
}
"""Networks with where the authors' figure script puts its annotation: accuracy and stability, percent."""


class Settings(EventSize):
    """How much is run.

    networks: which of the figure's networks.
    """

    networks: Distinct[Name] = Field(default=("ResNet18", "ResNet20", "ResNet56"), min_length=1)


ONE = {"networks": ("ResNet20",)}
SCALES = scales_of(Settings, smoke={"width": 0.25, **ONE}, laptop={"width": 1.0, **ONE})


def comparison(network: str, settings: EventSize) -> Comparison:
    """No pruning, and a tenth of every convolution inside the blocks at two rates, smallest l1 norms first."""
    group, _, _ = NETWORKS[network]
    layers = arms.blocks(group.recipe(settings).task.network, start=40, end=100, fraction=0.1)
    made = [
        arms.pruned(group, layers, settings, "S", period=period, score=arms.L1, name=f"Prune_S {rate}")
        for rate, period in PERIODS.items()
    ]
    return arms.compared(group, settings, *made)


def _figures(settings: Settings) -> Figures:
    panels: dict[str, Comparison] = {network: comparison(network, settings) for network in settings.networks}
    pruned = {network: runs.pruned for network, runs in panels.items()}
    x, title = "mean_stability", "Figure 4: stability and"
    claims = [claim for network, runs in pruned.items() for claim in _accuracy(network, runs, settings)]
    yield figures.scatter("fig4-top", f"{title} accuracy", pruned, x, "best", claims)
    claims = []
    for network, runs in pruned.items():
        what = f"Among pruned {network}s, lower stability goes with a smaller generalization gap."
        r, needs = runs.correlation(x, "gap"), (runs.moves(),)
        claims.append(Says(PLACE)(f"{network.lower()}-gap", what, r, MORE, needs=needs))
    yield figures.scatter("fig4-bottom", f"{title} gap", pruned, x, "gap", claims)
    title, ys = "Correlations of stability with accuracy and with the gap", ("best", "final", "gap", "final_gap")
    yield figures.correlations("fig4-correlations", title, pruned, [(x, y) for x in STABILITIES for y in ys])
    yield figures.means("fig4-means", "Means of every arm", panels, (*ys, x, "train"))


def _accuracy(network: str, runs: Comparison, size: EventSize) -> Claims:
    """Less stable is more accurate, and how far both go."""
    tag, paper, (_, accuracy, stability) = network.lower(), (as_published(size),), NETWORKS[network]
    what = f"Among pruned {network}s, lower stability goes with higher best accuracy."
    r = runs.correlation("mean_stability", "best")
    yield Says(PLACE)(f"{tag}-accuracy", what, r, LESS, needs=(runs.moves(),))
    script = Says(f"{PLACE} (where the authors' figure script puts its annotation)", "proposed")
    what = f"Pruned at the higher rate, {network} reaches about {accuracy} % (tolerance proposed)."
    best = runs.value(runs.names[-1], "best")
    yield script(f"{tag}-best", what, best, ps.Near(accuracy, 1.0), needs=paper)
    lower = runs.values("mean_stability").map(lambda values: values.min(axis=1), label="the lower of both rates")
    what = f"Mean stability of pruned {network}s goes down to about {stability:g} % (tolerance proposed)."
    yield script(f"{tag}-stability", what, lower, ps.Near(stability, 5.0), needs=paper)


build = builder(
    __doc__,
    _figures,
    GAP,
    "Layers of 16 filters lose nothing at some events of the lower rate: a tenth of 16 is two filters' share rounded "
    "down to one.",
    "These networks need not fit their training set; the gap is shown instead, as in the paper.",
    "No correlation is claimed by its value: the text at hand prints none for this figure.",
)
