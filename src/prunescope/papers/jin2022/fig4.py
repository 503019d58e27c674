"""jin2022/fig4: the loss on original and on noisy examples over sparsity."""

from prunescope.papers.jin2022 import fitting, published, sparsities, statements, views
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, with_noise, words
from prunescope.studies.claim import Claim
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = with_noise(settings.size(scale))
    bench = arms(size)
    per_noise = {noise: _claims(bench, noise) for noise in statements.noisy(bench)}
    figures = [
        views.fit_figure(bench, noise, arms=("pruned",), name=f"fig4-{100 * noise:g}").about(*claims)
        for noise, claims in per_noise.items()
    ]
    return Study(
        "jin2022/fig4",
        "Does pruning give noisy examples up while it keeps the original ones?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=bench.nodes_of("pruned"),
        figures=tuple(figures),
        cautions=statements.optima_inside(bench, "pruned", noises=statements.noisy(bench)),
        claims=tuple(claim for claims in per_noise.values() for claim in claims),
    )


def _claims(bench: Benchmark, noise: float) -> tuple[Claim, ...]:
    return (
        *statements.at_each_noise(
            bench,
            fitting.noisy_loss_falls_first,
            fitting.noisy_loss_rises,
            fitting.gap_shrinks_at_last,
            fitting.true_labels_return,
            noises=(noise,),
        ),
        *sparsities.noisy_loss_around_a_tenth(bench, noise),
        *published.fit_gaps(bench, noises=(noise,)),
    )
