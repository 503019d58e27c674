"""jin2022/fig7: narrower dense networks beside pruned ones."""

from prunescope.papers.jin2022 import published, statements, views
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    claims = (
        statements.width_is_worse_on_clean(bench),
        *statements.at_each_noise(
            bench,
            statements.width_helps,
            statements.width_is_worse,
            statements.width_is_close,
            noises=bench.noises_of("width"),
        ),
        *published.width_gaps(bench),
    )
    return Study(
        "jin2022/fig7",
        "Does size alone explain pruning's effect on generalization?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=bench.nodes_of("pruned", "width"),
        figures=(
            views.error_figure(
                bench, arms=("pruned", "width"), name="fig7", title="Figure 7: pruning and width down-scaling"
            ).about(*claims),
            views.error_figure(
                bench,
                arms=("pruned", "width"),
                noises=bench.noises_of("width"),
                within=statements.MOST_BY_WIDTH,
                name="app-f",
                title="Appendix F: Figure 7 near its optima",
            ),
        ),
        cautions=statements.optima_inside(bench, "pruned", "width"),
        claims=claims,
    )
