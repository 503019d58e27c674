"""jin2022/appC: other pruning algorithms beside training that removes nothing."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from prunescope.papers.jin2022 import variants
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.expected import said
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.statements import CLOSE, POINTS, fits_clean
from prunescope.papers.jin2022.variants import Variant, by_level
from prunescope.runs.graph.families import extended, imp, one_shot
from prunescope.runs.graph.recipe import Recipe
from prunescope.sparsity.select import Sparsity
from prunescope.sparsity.synflow import SynFlow
from prunescope.studies.claim import Claim
from prunescope.studies.region import Equivalence
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


CONTROLS: Mapping[str, str] = MappingProxyType(
    {
        "learning-rate rewinding": "nothing removed",
        "weight rewinding": "nothing removed",
        "fine-tuning": "nothing removed, fine-tuned",
        "SynFlow score": "nothing removed",
    }
)
"""What takes as many steps as an algorithm and removes nothing; one-shot pruning retrains once, as its level 1 does."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    found = algorithms(bench)
    claims = (
        *(_matches(bench, found[CONTROLS[name]], found[name]) for name in CONTROLS),
        _matches(bench, found["nothing removed"], found["one-shot"], levels=(1,)),
    )
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
                title="Appendix C: other pruning algorithms over sparsity",
                caption="Test error without label noise over the levels of each algorithm; training that removes "
                "nothing is drawn at the weights remaining of pruning that has trained as long. One-shot pruning "
                "reaches every sparsity in a single retraining, so it trains less.",
            ).about(*claims),
            variants.figure(
                list(found.values()),
                name="app-c-epochs",
                title="Appendix C: other pruning algorithms over epochs",
                caption="The same over the epochs of training in all: beside each algorithm training that removes "
                "nothing for as many steps, by replays of the schedule or, for fine-tuning, of its end.",
                over="epochs",
            ),
        ),
        claims=claims,
        cautions=tuple(variant.optimum_inside for variant in found.values()),
        notes=(
            *notes(size),
            "Which algorithms the paper's Appendix C compares is not known, but for SynFlow.",
        ),
    )


def algorithms(bench: Benchmark) -> dict[str, Variant]:
    """The variants by name, all without label noise."""
    chain = partial(imp, levels=bench.levels, rewind=bench.rewind)
    tenth = max(1, bench.base.steps // 10)
    last = f"{bench.base.steps - tenth}it"
    makers: dict[str, variants.Maker] = {
        "nothing removed": lambda base: by_level(extended(base, levels=bench.levels, rewind=bench.rewind)),
        "learning-rate rewinding": lambda base: by_level(chain(base, prune=bench.prune)),
        "weight rewinding": lambda base: by_level(chain(base, prune=bench.prune, retrain="weight")),
        "fine-tuning": lambda base: by_level(
            imp(base, levels=bench.levels, prune=bench.prune, retrain="fine_tune", fine_tune=f"{tenth}it")
        ),
        "nothing removed, fine-tuned": lambda base: by_level(
            extended(base, levels=bench.levels, rewind=last)
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


def _matches(
    bench: Benchmark, control: Variant, variant: Variant, *, levels: tuple[int, ...] | None = None
) -> Claim:
    """levels: of the control, where only some of them train as long as the variant."""
    named = {"learning-rate rewinding": "extended-matches", "SynFlow score": "synflow-matches"}
    statement = named.get(variant.name, "algorithm-matches")
    return Claim(
        "matches-" + variant.name.lower().replace(" ", "-"),
        f"Without label noise, training as long that removes nothing is at its best within {CLOSE:g} points of "
        f"{variant.name}{' pruning' if variant.name == 'one-shot' else ''} at its best.",
        **said(statement, bench.name, "footnote 2 and App. C (the margin is proposed here)"),
        region=Equivalence(CLOSE),
        sample=lambda r: control.at_best(r, levels) - variant.at_best(r),
        preconditions=(fits_clean(bench),),
        unit=f"{POINTS} of test error, nothing removed minus pruned",
    )
