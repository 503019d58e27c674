"""jin2022/resnet20-preview: iterative pruning of ResNet-20 on a twentieth of CIFAR-10, without label noise.

It shows that the paper's second benchmark runs from data to report on one core. It is no reproduction: 30 epochs of
2,560 images are under 1 % of the paper's steps a level, and every claim that needs a trained network says so.
"""

from collections.abc import Callable

import numpy as np
from pydantic import Field

from prunescope.base.value import Value
from prunescope.papers.jin2022 import fitting, views
from prunescope.papers.jin2022.arms import Benchmark, Numbers, available
from prunescope.papers.jin2022.benchmarks import COLUMNS
from prunescope.papers.jin2022.sizes import PAPER
from prunescope.papers.jin2022.statements import POINTS, fits_clean
from prunescope.runs.graph.families import with_network
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure, Lines
from prunescope.studies.region import Direction
from prunescope.studies.results import Results
from prunescope.studies.study import Study

COLUMN = COLUMNS["resnet20"]
STEPS = 391 * 160
"""Steps a level in the paper: 160 epochs of 50,000 images in batches of 128."""
IMAGES = 50_000
PAPER_LEVELS = 8
"""Levels to the paper's 83.22 % sparsity."""
PLACE = "Jin et al. 2022, section 4, Fig. 2b (ResNet-20 at 83.22 % sparsity)"


class Settings(Value):
    """What the preview runs.

    levels: of pruning; 8 reach 83.22 % sparsity, the highest at which the paper's ResNet-20 still improves. epochs:
    of the full schedule; drops and the rewind shrink with it. images: of CIFAR-10's training images. scale: of every
    width; 1 is the paper's.
    """

    replicates: int = Field(default=1, ge=1)
    levels: int = Field(default=8, ge=1)
    epochs: int = Field(default=30, ge=1)
    images: int = Field(default=2560, ge=128, le=IMAGES)
    scale: float = Field(default=1.0, gt=0, le=1)


SCALES = {
    "smoke": Settings(levels=1, epochs=2, images=512, scale=0.25),
    "laptop": Settings(),
    "paper": Settings(replicates=3, levels=12, epochs=160, images=IMAGES),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings.

    Raises DataError if CIFAR-10 is not there.
    """
    bench = _benchmark(settings)
    claims = [fitting.better_training(bench), _loss_rises(bench), _error_falls(bench)]
    return Study(
        "jin2022/resnet20-preview",
        "Does the pruning chain of ResNet-20 on CIFAR-10 run, and where does its test error go?",
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates, {settings.levels} levels of {settings.epochs} epochs on "
        f"{settings.images:,} images; the paper has 160 epochs on 50,000",
        paper=PAPER,
        nodes=bench.nodes_of("pruned"),
        figures=(views.error_figure(bench, arms=("pruned",)), _loss_figure(bench)),
        claims=tuple(claims),
        notes=(
            "A preview: a network that was trained for so few steps does not fit its training set, so that what "
            "pruning does here says little about what it does to a trained one.",
        ),
    )


def _benchmark(settings: Settings) -> Benchmark:
    base = COLUMN.recipe(epochs=settings.epochs, share=settings.images / IMAGES)
    if settings.scale != 1:
        base = with_network(base, scale=settings.scale)
    return Benchmark(
        name="resnet20",
        base=base,
        noises=(0.0,),
        replicates=settings.replicates,
        levels=settings.levels,
        extended_levels=0,
        width_levels=0,
        rewind=COLUMN.at(COLUMN.rewind, settings.epochs),
        prune=COLUMN.prune,
        curves=False,  # 10,000 test images after every epoch of 20 steps would cost as much as the training
        fits=COLUMN.fits,
    )


def _loss_figure(bench: Benchmark) -> Figure:
    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "arm": "pruned",
                "replicate": p.replicate,
                "level": p.level,
                "weights_remaining": bench.remaining(results, p),
                "train_loss": float(results[p.train]["loss"]),
                "train_error": 100 * float(results[p.train]["error"]),
            }
            for p in available(results, bench.points)
            if p.arm == "pruned"
        ]

    return Figure(
        "train-loss",
        "Training loss over sparsity",
        caption="Mean training loss, evaluation mode, no augmentation.",
        table=table,
        plot=Lines(
            "weights_remaining",
            "train_loss",
            series="arm",
            x_label="weights remaining, %",
            y_label="mean training loss, nats",
            log_x=True,
            reverse_x=True,
        ),
        lineage={"pruned": [p.recipe for p in bench.points if p.arm == "pruned"]},
    )


def _full_length(bench: Benchmark) -> Precondition:
    return Precondition(
        "a level trains for as many steps as in the paper",
        lambda _: float(bench.base.steps),
        at_least=STEPS,
        unit="steps",
    )


def _at_last(
    name: str,
    says: str,
    sample: Callable[[Results], Numbers],
    *,
    region: Direction,
    unit: str,
    bench: Benchmark,
) -> Claim:
    return Claim(
        name,
        says,
        basis="paper" if bench.levels == PAPER_LEVELS else "proposed",
        place=PLACE,
        region=region,
        sample=sample,
        preconditions=(_full_length(bench), fits_clean(bench)),
        unit=unit,
    )


def _loss_rises(bench: Benchmark) -> Claim:
    def sample(results: Results) -> Numbers:
        sparse = bench.train_values(results, "pruned", 0.0, bench.levels, name="loss")
        return sparse - bench.train_values(results, "dense", 0.0, 0, name="loss")

    return _at_last(
        "loss-rises-at-high-sparsity",
        f"After {bench.levels} levels of pruning the mean training loss is above the dense network's.",
        sample,
        region=Direction("greater"),
        unit="nats, pruned minus dense",
        bench=bench,
    )


def _error_falls(bench: Benchmark) -> Claim:
    def sample(results: Results) -> Numbers:
        errors = bench.test_errors(results, "pruned", 0.0)
        return np.asarray(errors[-1] - errors[0])

    return _at_last(
        "error-falls-at-high-sparsity",
        f"After {bench.levels} levels of pruning the test error is still below the dense network's.",
        sample,
        region=Direction("less"),
        unit=f"{POINTS} of test error, pruned minus dense",
        bench=bench,
    )
