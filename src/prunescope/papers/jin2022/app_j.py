"""jin2022/appJ: does it matter which weights are pruned."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from prunescope.papers.jin2022 import variants
from prunescope.papers.jin2022.arms import Benchmark, noise_name
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.statements import POINTS, fits_clean, fits_noise
from prunescope.papers.jin2022.variants import Variant, by_level
from prunescope.runs.graph.families import imp
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.scores import Random, ShuffledMagnitude
from prunescope.sparsity.synflow import SynFlow
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction
from prunescope.studies.study import Study
from prunescope.training.interventions import Prune

__all__ = ["SCALES", "Settings", "build"]

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


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    noises = tuple(dict.fromkeys((0.0, max(size.controls))))
    found = {noise: heuristics(bench, noise) for noise in noises}
    every = [variant for group in found.values() for variant in group.values()]
    return Study(
        "jin2022/appJ",
        "Does it matter which weights are pruned, or only how many and the training?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=[*bench.nodes_of(noises=noises), *(node for variant in every for node in variant.nodes)],
        figures=(
            variants.figure(
                every,
                name="app-j",
                title="Appendix J: which weights go",
                caption="Test error under the same schedule and retraining when other weights are removed at each "
                "level. A curve ends where a layer would lose its last weight.",
            ),
        ),
        cautions=tuple(variant.optimum_inside for variant in every),
        claims=tuple(
            _magnitude_is_better(bench, group["magnitude"], group[other])
            for group in found.values()
            for other in OTHERS
        ),
        notes=(
            *notes(size),
            "The heuristics of the paper's Appendix J are not known; these are proposed here.",
        ),
    )


def heuristics(bench: Benchmark, noise: float) -> dict[str, Variant]:
    """The variants by name at a noise level."""
    prune = bench.prune
    prunes: dict[str, Prune] = {
        "magnitude": prune,
        "shuffled in layers": prune.replace(score=ShuffledMagnitude()),
        "random": prune.replace(score=Random()),
        "uniform over layers": prune.replace(scope="uniform"),
        "largest": prune.replace(target="largest"),
        "SynFlow score": prune.replace(score=SynFlow()),
    }
    return {name: Variant(bench, name, noise, partial(_chain, bench, rule)) for name, rule in prunes.items()}


def _chain(bench: Benchmark, prune: Prune, base: Recipe) -> dict[int, Recipe]:
    return by_level(imp(base, levels=bench.levels, prune=prune, rewind=bench.rewind))


def _magnitude_is_better(bench: Benchmark, magnitude: Variant, other: Variant) -> Claim:
    noise = magnitude.noise
    return Claim(
        f"magnitude-beats-{other.name.replace(' ', '-').lower()}-{100 * noise:g}",
        f"At {noise_name(noise)}, pruning the smallest weights has a lower test error, each at its best, than pruning "
        f"{OTHERS[other.name]}.",
        basis="proposed",
        place="proposed here after Jin et al. 2022, footnote 5 and App. J",
        region=Direction("greater"),
        sample=lambda r: other.at_best(r) - magnitude.at_best(r),
        preconditions=(fits_noise(bench, noise) if noise else fits_clean(bench),),
        unit=f"{POINTS} of test error, {other.name} minus magnitude",
    )
