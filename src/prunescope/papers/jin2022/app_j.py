"""jin2022/appJ: Does it matter which weights are pruned, or only how many and the training?"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import prunescope as ps
from prunescope.papers.jin2022 import variants
from prunescope.papers.jin2022.arms import Benchmark, noise_name
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, notes, study
from prunescope.papers.jin2022.variants import Variant
from prunescope.sparsity.scores import ShuffledMagnitude
from prunescope.sparsity.synflow import SynFlow

__all__ = ["SCALES", "build"]

COST = {"smoke": "half a minute or less", "laptop": "3.5 hours", "paper": "6 hours"}
FIGURE = "Appendix J"

OTHERS: Mapping[str, str] = MappingProxyType(
    {
        "shuffled in layers": "as many random ones of each layer",
        "random": "random ones",
        "uniform over layers": "the smallest of each layer at the same share of all layers",
        "largest": "the largest",
        "SynFlow score": "those of the smallest SynFlow score",
    }
)
"""What magnitude over all layers is compared with, in words."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    by_noise = {noise: heuristics(bench, noise) for noise in dict.fromkeys((0.0, max(size.controls)))}
    every = [variant for group in by_noise.values() for variant in group.values()]
    figure = variants.figure(
        every,
        "app-j",
        "Appendix J: which weights go",
        "Test error under the same schedule and retraining when other weights are removed at each level. A curve ends "
        "where a layer would lose its last weight.",
        claims=[_is_better(group["magnitude"], group[other]) for group in by_noise.values() for other in OTHERS],
    )
    inside = tuple(variant.optimum_inside for variant in every)
    note = "The heuristics of the paper's Appendix J are not known; these are proposed here."
    return study(__doc__, size, scale, figures=(figure,), cautions=inside, notes=(*notes(size), note))


def heuristics(bench: Benchmark, noise: float) -> dict[str, Variant]:
    """The variants by name at a noise level."""
    prunes: dict[str, ps.Prune] = {
        "magnitude": bench.prune,
        "shuffled in layers": bench.prune.replace(score=ShuffledMagnitude()),
        "random": bench.prune.replace(score=ps.Random()),
        "uniform over layers": bench.prune.replace(scope="uniform"),
        "largest": bench.prune.replace(target="largest"),
        "SynFlow score": bench.prune.replace(score=SynFlow()),
    }
    chain = partial(ps.imp, levels=bench.levels, rewind=bench.rewind)
    return {name: Variant(bench, name, noise, partial(chain, prune=rule)) for name, rule in prunes.items()}


def _is_better(magnitude: Variant, other: Variant) -> ps.Claim:
    noise = magnitude.noise
    name = f"magnitude-beats-{other.name.replace(' ', '-').lower()}-{100 * noise:g}"
    text = (
        f"At {noise_name(noise)}, pruning the smallest weights has a lower test error, each at its best, than pruning "
        f"{OTHERS[other.name]}"
    )
    says, place = Says(magnitude.bench, noise), "proposed here after Jin et al. 2022, footnote 5 and App. J"
    return says(name, other.at_best() - magnitude.at_best(), MORE, text, place=place, numbered=False)
