"""jin2022/fig7: narrower dense networks beside pruned ones."""

from prunescope.papers.jin2022 import published, statements, views
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, words
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    return Study(
        "jin2022/fig7",
        "Does size alone explain pruning's effect on generalization?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=bench.nodes_of("pruned", "width"),
        figures=(
            views.error_figure(
                bench, arms=("pruned", "width"), name="fig7", title="Figure 7: pruning and width down-scaling"
            ),
        ),
        claims=(
            statements.width_is_worse_on_clean(bench),
            *statements.at_each_noise(
                bench, statements.width_helps, statements.width_is_worse, noises=bench.noises_of("width")
            ),
            *published.width_gaps(size.benchmark, bench),
        ),
    )
