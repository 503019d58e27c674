"""quickstart: Pruning helps where labels are wrong. Is it the training, the size, or what it gives up?

An explanation on 1,297 handwritten digits, in a minute or two: the pruned network beside dense ones that train as long,
that are as small from the start, that stop early, and beside random weights taken at the same events, with and without
wrong labels. Levels are fixed, so nothing is chosen by the test set. How settings were found is told in the LOG.
"""

from collections.abc import Iterator, Sequence

from pydantic import Field

import prunescope as ps
from prunescope.papers.jin2022.arms import Arm, Benchmark
from prunescope.papers.jin2022.figures import error_figure, fit_figure
from prunescope.papers.jin2022.quantities import ERROR, fit_gap, test_error
from prunescope.papers.readings import noise_name, risk_on_test
from prunescope.studies.selection import stopped_early
from prunescope.training.interventions import KeepAsMany

FIGURE = "after Figures 3, 4, 6 and 7"
COST = {"smoke": "10 seconds", "laptop": "2 minutes"}
SHOWN: Sequence[Arm] = ("pruned", "extended")
MORE, LESS = ps.Direction("greater"), ps.Direction("less")


class Settings(ps.Value):
    """What the quickstart runs.

    hidden: widths of the hidden layers.
    lr: learning rate.
    batch: examples a step.
    length: training of every level.
    noise: share of wrong training labels in the noisy half of the study.
    replicates: runs of each arm, each with its own seed.
    levels: pruning steps.
    fraction: part of the remaining weights that a level removes.
    margin: percentage points within which two test errors are equal.
    first: number of the first replicate; another one gives other seeds.
    """

    hidden: tuple[int, ...] = Field(default=(100,), min_length=1)
    lr: float = Field(default=0.2, gt=0)
    batch: int = Field(default=64, ge=1)
    length: ps.Duration = "60ep"
    noise: float = Field(default=0.4, gt=0, lt=1)
    replicates: int = Field(default=4, ge=1)
    levels: int = Field(default=2, ge=1)
    fraction: float = Field(default=0.75, gt=0, lt=1)
    margin: float = Field(default=1.0, gt=0)
    first: int = Field(default=0, ge=0)


SCALES = {"smoke": Settings(hidden=(24,), length="2ep", replicates=2, levels=2), "laptop": Settings()}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    bench, noise = _benchmark(settings), settings.noise
    return ps.Study(
        *ps.titled(__doc__),
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates of a small network on 1,297 digits of 8 x 8 pixels",
        paper="The questions of Jin et al. 2022 (NeurIPS), on a task of our own; none of these numbers is the paper's.",
        figures=(error_figure(bench, arms=SHOWN), fit_figure(bench, noise, arms=SHOWN)),
        claims=(*_noisy(bench, noise), *_clean(bench, noise, settings.margin)),
    )


def _noisy(bench: Benchmark, noise: float) -> Iterator[ps.Claim]:
    at, last = f"At {noise_name(noise)}", bench.levels
    dense, pruned = test_error(bench, "dense", noise), test_error(bench, "pruned", noise, last)
    longer, small = test_error(bench, "extended", noise, last), _small(bench, noise)
    yield _claim("pruning-helps", f"{at}, the pruned network errs less than the dense one", pruned - dense, LESS)

    text = f"{at}, a dense network that trains as long errs less than the pruned one"
    yield _claim("longer-is-better", text, longer - pruned, LESS)

    error = ps.column(map(risk_on_test, small), "error", scale=100, unit=ERROR)
    text = f"{at}, a network with as few weights from the start errs more than a dense one that trains as long"
    yield _claim("small-is-worse", text, error.named("small") - longer, MORE)

    text = f"{at}, the dense network errs more than the pruned one even where it is stopped early"
    yield _claim("early-stopping-is-worse", text, _stopped(bench, noise) - pruned, MORE)

    levels: dict[Arm, int] = {"dense": 0, "pruned": last, "extended": last}
    gaps = {arm: fit_gap(bench, arm, noise, level) for arm, level in levels.items()}
    text = "gives noisy examples up: their loss exceeds that of the others by more than in the dense network"
    yield _claim("pruned-gives-up", f"{at}, the pruned network {text}", gaps["pruned"] - gaps["dense"], MORE)

    text = f"{at}, so does a dense network that trains as long"
    yield _claim("longer-gives-up", text, gaps["extended"] - gaps["dense"], MORE)


def _clean(bench: Benchmark, noise: float, margin: float) -> Iterator[ps.Claim]:
    at, last, dense = "Without label noise", bench.levels, test_error(bench, "dense", 0.0)
    pruned, longer = test_error(bench, "pruned", 0.0, last), test_error(bench, "extended", 0.0, last)
    yield _claim("pruning-helps-clean", f"{at}, the pruned network errs less than the dense one", pruned - dense, LESS)

    text = f"{at}, training as long without pruning changes test error by at most {margin:g} points"
    yield _claim("longer-changes-nothing", text, longer - dense, ps.Equivalence(margin))

    random = ps.column(map(risk_on_test, _random(bench, 0.0)), "error", scale=100, unit=ERROR)
    text = f"{at}, a network that loses random weights at the same events errs no more than the pruned one"
    yield _claim("random-is-as-good", text, random.named("random") - pruned, ps.Direction("less", or_matches=True))

    noisy = [test_error(bench, arm, noise, last) for arm in ("extended", "pruned")]
    text = f"Pruning gains more over training as long at {noise_name(noise)} than without"
    yield _claim("gain-grows", text, ((noisy[0] - noisy[1]) - (longer - pruned)).named(""), MORE)


def _claim(name: str, says: str, quantity: ps.Quantity, region: ps.Region) -> ps.Claim:
    return ps.Claim(name, f"{says}.", quantity, region)


def _random(bench: Benchmark, noise: float) -> list[ps.Recipe]:
    """Networks that lose as many random weights of each layer as the pruned ones, level by level."""
    runs = [point.recipe for point in bench.row("dense", noise, 0)]
    for level in range(1, bench.levels + 1):
        beside = bench.row("pruned", noise, level)
        runs = [_loses(run, point.recipe).replace(start=ps.final(run)) for run, point in zip(runs, beside, strict=True)]
    return runs


def _small(bench: Benchmark, noise: float) -> list[ps.Recipe]:
    """Networks that have as many weights in each layer as the pruned ones from the start, at random."""
    pairs = zip(bench.row("dense", noise, 0), bench.row("pruned", noise, bench.levels), strict=True)
    return [_loses(dense.recipe, pruned.recipe) for dense, pruned in pairs]


def _loses(run: ps.Recipe, pruned: ps.Recipe) -> ps.Recipe:
    return run.replace(interventions=(KeepAsMany(of=ps.final(pruned), when=ps.At(at="0it")),))


def _stopped(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of each dense network after the epoch that is best for the others."""
    curves = [point.curve for point in bench.row("dense", noise, 0)]
    return ps.arrays(curves, "error", scale=100, label="stopped", unit=ERROR).map(stopped_early)


def _benchmark(settings: Settings) -> Benchmark:
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=settings.hidden, inputs=64)
    base = ps.Recipe(
        task=ps.Task(network=net, data=ps.Data(source=ps.digits())),
        optimizer=ps.SGD(),
        schedule=ps.Constant(lr=settings.lr),
        batch=settings.batch,
        length=settings.length,
    )
    return Benchmark(
        base=base,
        noises=(0.0, settings.noise),
        replicates=settings.replicates,
        levels=settings.levels,
        prune=ps.Prune(amount=ps.Remaining(fraction=settings.fraction)),
        first=settings.first,
    )
