"""jin2022/fig3: test error over sparsity at every level of label noise."""

from prunescope.papers.jin2022 import expected, published, statements, views
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    highest = max(bench.noises)
    return Study(
        "jin2022/fig3",
        "Does pruning improve generalization under label noise, and more so the more noise there is?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=bench.nodes_of("pruned"),
        figures=(
            views.error_figure(
                bench, arms=("pruned",), name="fig3", title="Figure 3: test error over sparsity"
            ),
        ),
        cautions=statements.optima_inside(bench, "pruned"),
        claims=(
            *statements.at_each_noise(bench, statements.pruning_helps),
            *(
                statements.dense_is_best(bench, noise)
                for noise in bench.noises
                if expected.is_dense(bench.name, noise)
            ),
            statements.gain_grows(bench, highest),
            *statements.gain_grows_at_each(bench),
            *published.gains(bench),
        ),
    )
