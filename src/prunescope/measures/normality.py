"""How normal the inputs of BatchNorm's scale and shift are: the premise of scoring filters by E[BN]."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.task import Problem

EDGE, BINS = 4.0, 64
"""Histograms reach from -EDGE to EDGE in BINS bins."""


class Normality(Measure):
    """How far BatchNorm's normalized activations of the last `layers` layers are from N(0, 1), channels pooled.

    Activations are normalized by the statistics of one batch, the first `examples` of the split, in training mode.
    Values, float64, over L layers in forward order, dimensionless:
    distance: [L], Kolmogorov-Smirnov's, max |F(x) - Phi(x)|, in [0, 1].
    skewness, kurtosis: [L]; the latter is the excess over the normal's.
    mean_distance: 0-D, the mean of the distances.
    histogram.I: [64], the density over -4 to 4 of layer I.

    Channels whose gamma is 0 (removed filters) are left out; a layer without any other is NaN.

    Source: Bartoldson et al. 2019, appendix A.1 and Figure A1; 2020, appendix B.
    Differs from the source: it shows histograms of a VGG19 trained on ImageNet, and no numbers.
    """

    split: SplitName = "test"
    examples: int = Field(default=256, ge=2)
    layers: int = Field(default=8, ge=1)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The entries by name. Raises UsageError for a network without BatchNorm."""
        norms = [
            name.removesuffix(".running_mean") for name in weights.buffers if name.endswith(".running_mean")
        ]
        chosen = [name for name in norms if f"{name}.weight" in weights.params][-self.layers :]
        if not chosen:
            raise UsageError(
                f"{problem.model.network.path} has no BatchNorm with a scale and a shift, so nothing is normalized; "
                "use a network with BatchNorm"
            )
        split = problem.split(self.split)
        x, _ = split.batch(torch.arange(min(self.examples, len(split)), device=split.y.device))
        _, _, outputs = problem.model.observe(weights.params, weights.buffers, x, names=frozenset(chosen))
        layers = [_normal(_standard(outputs[name], weights, name)) for name in chosen]
        *columns, histograms = zip(*layers, strict=True)
        names = ("distance", "skewness", "kurtosis")
        named = {name: torch.stack(column) for name, column in zip(names, columns, strict=True)}
        named["mean_distance"] = named["distance"].nanmean()
        return named | {f"histogram.{layer}": density for layer, density in enumerate(histograms)}


def _standard(out: Tensor, weights: Weights, name: str) -> Tensor:
    """What BatchNorm normalized, before scale and shift: float64 [M]."""
    gamma, beta = (weights.params[f"{name}.{part}"].double() for part in ("weight", "bias"))
    alive = gamma != 0
    shape = (1, -1, *[1] * (out.ndim - 2))
    kept = out.double()[:, alive]
    return ((kept - beta[alive].view(shape)) / gamma[alive].view(shape)).flatten()


def _normal(values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distance, skewness, excess kurtosis (0-D) and histogram [BINS] of values [M]."""
    if len(values) < 2:
        nothing = torch.full((), torch.nan, dtype=torch.float64, device=values.device)
        return nothing, nothing, nothing, nothing.expand(BINS).clone()
    ordered, count = values.sort().values, len(values)
    normal = torch.special.ndtr(ordered)
    rank = torch.arange(count + 1, dtype=torch.float64, device=values.device) / count
    distance = torch.maximum((rank[1:] - normal).max(), (normal - rank[:-1]).max())
    spread = values.std(correction=0)
    scaled = (values - values.mean()) / spread
    counts = torch.histc(values, bins=BINS, min=-EDGE, max=EDGE)
    density = counts / (count * 2 * EDGE / BINS)
    return distance, scaled.pow(3).mean(), scaled.pow(4).mean() - 3, density
