"""jin2022/appC: other pruning algorithms beside training that removes nothing."""

from functools import partial

from prunescope.papers.jin2022 import variants
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, words
from prunescope.papers.jin2022.statements import POINTS, fits_clean
from prunescope.papers.jin2022.variants import Variant, by_level
from prunescope.runs.families import extended, imp, one_shot
from prunescope.runs.recipe import Recipe
from prunescope.sparsity.select import Sparsity
from prunescope.sparsity.synflow import SynFlow
from prunescope.studies.claim import Claim
from prunescope.studies.region import Equivalence
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

MARGIN = 0.5
"""Percentage points within which two test errors count as equal; proposed."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    found = algorithms(bench)
    return Study(
        "jin2022/appC",
        "Does training that removes nothing match other pruning algorithms, too?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=[
            *bench.nodes_of(noises=(0.0,)),
            *(node for variant in found.values() for node in variant.nodes),
        ],
        figures=(
            variants.figure(
                list(found.values()),
                name="app-c",
                title="Appendix C: other pruning algorithms",
                caption="Test error without label noise over the levels of each algorithm; training that removes "
                "nothing is drawn at the weights remaining of magnitude pruning that has trained as long. One-shot "
                "pruning reaches every sparsity in a single retraining, so it trains less.",
            ),
        ),
        claims=tuple(
            _matches(bench, found["nothing removed"], variant)
            for name, variant in found.items()
            if name not in ("nothing removed", "one-shot")
        ),
        notes=("Which algorithms the paper's Appendix C compares is not known, but for SynFlow.",),
    )


def algorithms(bench: Benchmark) -> dict[str, Variant]:
    """The variants by name, all without label noise."""
    chain = partial(imp, levels=bench.levels, rewind=bench.rewind)
    tenth = f"{max(1, bench.base.steps // 10)}it"
    makers: dict[str, variants.Maker] = {
        "nothing removed": lambda base: by_level(extended(base, levels=bench.levels, rewind=bench.rewind)),
        "learning-rate rewinding": lambda base: by_level(chain(base, prune=bench.prune)),
        "weight rewinding": lambda base: by_level(chain(base, prune=bench.prune, retrain="weight")),
        "fine-tuning": lambda base: by_level(
            imp(base, levels=bench.levels, prune=bench.prune, retrain="fine_tune", fine_tune=tenth)
        ),
        "SynFlow score": lambda base: by_level(chain(base, prune=bench.prune.replace(score=SynFlow()))),
        "one-shot": lambda base: _one_shots(bench, base),
    }
    return {name: Variant(bench, name, 0.0, make) for name, make in makers.items()}


def _one_shots(bench: Benchmark, base: Recipe) -> dict[int, Recipe]:
    """Every sparsity of the schedule at once, from the dense network."""
    prune = bench.prune
    return {
        level: one_shot(
            base, prune=prune.replace(amount=Sparsity(final=1 - 0.8**level)), rewind=bench.rewind
        )[1]
        for level in range(1, bench.levels + 1)
    }


def _matches(bench: Benchmark, control: Variant, variant: Variant) -> Claim:
    return Claim(
        "matches-" + variant.name.lower().replace(" ", "-"),
        f"Without label noise, training that removes nothing is at its best within {MARGIN:g} points of {variant.name} "
        "at its best.",
        basis="paper",
        place="Jin et al. 2022, footnote 2 and App. C (the margin is proposed here)",
        region=Equivalence(MARGIN),
        sample=lambda r: control.at_best(r) - variant.at_best(r),
        preconditions=(fits_clean(bench),),
        unit=f"{POINTS} of test error, nothing removed minus pruned",
    )
