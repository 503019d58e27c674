"""jin2022/fig4: the loss on original and on noisy examples over sparsity."""

from prunescope.papers.jin2022 import fitting, published, statements, views
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, words
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    figures = [
        views.fit_figure(bench, noise, arms=("pruned",), name=f"fig4-{100 * noise:g}")
        for noise in statements.noisy(bench)
    ]
    return Study(
        "jin2022/fig4",
        "Does pruning give noisy examples up while it keeps the original ones?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=bench.nodes_of("pruned"),
        figures=tuple(figures),
        claims=(
            *statements.at_each_noise(
                bench,
                fitting.noisy_loss_falls_first,
                fitting.noisy_loss_rises,
                fitting.gap_shrinks_at_last,
                fitting.true_labels_return,
            ),
            *published.fit_gaps(size.benchmark, bench),
        ),
    )
