"""jin2022/fig6: the dense network, trained as long as pruning trains."""

from prunescope.papers.jin2022 import published, statements, views
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    return Study(
        "jin2022/fig6",
        "Does extended training time alone explain pruning's effect on generalization?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=bench.nodes_of("pruned", "extended"),
        figures=(
            views.error_figure(
                bench,
                arms=("pruned", "extended"),
                over="epochs",
                name="fig6",
                title="Figure 6: test error over training epochs",
            ),
        ),
        cautions=statements.optima_inside(bench, "pruned", "extended"),
        claims=(
            statements.extended_matches(bench, margin=statements.CLOSE),
            *statements.at_each_noise(
                bench, statements.extended_is_worse, noises=bench.noises_of("extended")
            ),
            *published.extended_gaps(bench),
        ),
    )
