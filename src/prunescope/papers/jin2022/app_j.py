"""jin2022/appJ: Does it matter which weights are pruned, or only how many and the training?"""

from collections.abc import Mapping
from functools import partial

import prunescope as ps
from prunescope.papers.jin2022 import variants
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.quantities import not_itself
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.variants import Variant
from prunescope.papers.readings import noise_name
from prunescope.sparsity.derivative_scores import SynFlow
from prunescope.sparsity.scores import ShuffledMagnitude

COST = {"smoke": "half a minute or less", "laptop": "3.5 hours", "paper": "6 hours"}
FIGURE = "Appendix J"

OTHERS: Mapping[str, str] = {
    "shuffled in layers": "as many random ones of each layer",
    "random": "random ones",
    "uniform over layers": "the smallest of each layer at the same share of all layers",
    "largest": "the largest",
    "SynFlow score": "those of the smallest SynFlow score",
}
"""What magnitude over all layers is compared with, in words."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    groups = [heuristics(bench, noise) for noise in dict.fromkeys((0.0, max(size.controls)))]
    every = [variant for group in groups for variant in group.values()]
    title, claims = "Appendix J: which weights go", [_is_better(group, other) for group in groups for other in OTHERS]
    caption = (
        "Test error under the same schedule and retraining when other weights are removed at each level. A curve ends "
        "where a layer would lose its last weight."
    )
    figure = variants.figure(every, "app-j", title, caption, claims=claims)
    inside = [variant.optimum_inside for variant in every]
    note = "The heuristics of the paper's Appendix J are not known; these are proposed here."
    return study(__doc__, size, scale, figure, cautions=inside, more=[note])


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


def _is_better(group: Mapping[str, Variant], other: str) -> ps.Claim:
    magnitude, place = group["magnitude"], "proposed here after Jin et al. 2022, footnote 5 and App. J"
    text = "pruning the smallest weights has a lower test error, each at its best, than pruning " + OTHERS[other]
    says = Says(magnitude.bench, magnitude.noise, at=noise_name(magnitude.noise))
    name, gap = f"magnitude-beats-{other.replace(' ', '-').lower()}", group[other].at_best() - magnitude.at_best()
    apart = not_itself(group[other].best_level(), magnitude.best_level())
    return says(name, gap, MORE, text, apart, place=place)
