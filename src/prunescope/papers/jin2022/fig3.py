"""jin2022/fig3: test error over sparsity at every level of label noise."""

from prunescope.papers.jin2022 import published, statements, views
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, words
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
        paper=PAPER,
        nodes=bench.nodes_of("pruned"),
        figures=(
            views.error_figure(
                bench, arms=("pruned",), name="fig3", title="Figure 3: test error over sparsity"
            ),
        ),
        claims=(
            *statements.at_each_noise(bench, statements.pruning_helps),
            statements.helps_at_every_noise(bench),
            statements.gain_grows(bench, highest),
            *published.gains(size.benchmark, bench),
        ),
    )
