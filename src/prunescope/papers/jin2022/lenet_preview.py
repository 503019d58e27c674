"""jin2022/lenet-preview: LeNet-300-100 on MNIST, dense, pruned and extended, with and without label noise.

The first column of the paper at full training length: 40 epochs a level, because at 10 epochs noisy labels are not
yet fitted (3 % of them against 65 % at 40).
"""

from pydantic import Field

from prunescope.base.value import Value
from prunescope.papers.jin2022 import fitting, statements, views
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.benchmarks import lenet
from prunescope.sparsity.select import Remaining
from prunescope.studies.study import Study
from prunescope.training.interventions import Prune


class Settings(Value):
    """What the preview runs.

    levels, extended_levels: of pruning and of extended training; the latter changes little after the first few.
    epochs: of every level. share: of MNIST's training images used.
    """

    noise: float = Field(default=0.15, gt=0, lt=1)
    replicates: int = Field(default=3, ge=1)
    levels: int = Field(default=18, ge=1)
    extended_levels: int = Field(default=12, ge=1)
    epochs: int = Field(default=40, ge=1)
    share: float = Field(default=1.0, gt=0, le=1)


SCALES = {
    "smoke": Settings(replicates=2, levels=2, extended_levels=2, epochs=1, share=0.02),
    "laptop": Settings(),
    "paper": Settings(levels=24, extended_levels=24),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    benchmark = Benchmark(
        name="lenet",
        base=lenet(epochs=settings.epochs, share=settings.share),
        noises=(0.0, settings.noise),
        replicates=settings.replicates,
        levels=settings.levels,
        extended_levels=settings.extended_levels,
        width_levels=0,
        rewind="0ep",
        prune=Prune(amount=Remaining(fraction=0.2), exclude=("fc.weight",)),
    )
    noise = settings.noise
    return Study(
        "jin2022/lenet-preview",
        "Does pruning LeNet-300-100 generalize better by training longer, or by giving up noisy examples?",
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates, {settings.epochs} epochs a level, {settings.levels} levels "
        f"of pruning, {settings.extended_levels} of extended training",
        paper="Jin, Carbin, Roy, Frankle, Dziugaite: Pruning's Effect on Generalization Through the Lens of Training "
        "and Regularization, NeurIPS 2022",
        nodes=benchmark.nodes,
        figures=(
            views.error_figure(benchmark),
            views.fit_figure(benchmark, noise),
            views.epochs_figure(benchmark),
        ),
        cautions=statements.optima_inside(benchmark, "pruned", "extended"),
        claims=(
            fitting.better_training(benchmark),
            statements.extended_matches(benchmark, margin=0.2),
            statements.pruning_helps(benchmark, noise),
            statements.extended_is_worse(benchmark, noise),
            fitting.noisy_loss_rises(benchmark, noise),
            statements.gain_grows(benchmark, noise),
        ),
        notes=(
            "The optimum of each arm is the level of least mean test error over replicates, selected on the test "
            "set itself, as in the paper; an arm with more levels has more chances.",
            "The number of levels, the noise level of 15 % for LeNet and the margin of the equivalence claim are "
            "proposed here; the paper's text does not state them.",
        ),
    )
