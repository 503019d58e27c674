"""bartoldson2019/figA3: Does the benefit of unstable pruning vanish as the training set grows?

What pruning Conv4's penultimate layer, weight by weight, does to generalization.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import Field

import prunescope as ps
from prunescope.papers.bartoldson import figures
from prunescope.papers.bartoldson.claims import LESS, MORE, Claims, Says
from prunescope.papers.bartoldson.comparison import Arm, Comparison
from prunescope.papers.bartoldson.figures import Curves
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.quantities import POINTS, Observables
from prunescope.papers.bartoldson.scales import CONV4, Ascending, Count, Size, TraceSize, scales_of
from prunescope.sparsity.select import Target
from prunescope.tasks.model import Model

COST = {"smoke": "a minute or less", "laptop": "4 hours", "paper": "4 days"}
FIGURE = "Figure A3"
PLACE = "Bartoldson et al. 2019, appendix A.4 and Figure A3"
LAYER = "fc1.weight"
START, END, FRACTION = 3, 18, 0.9
"""First and last epoch with pruning, counted from 0, every epoch between them, and the share that goes in all.

Source: Bartoldson et al. 2019, caption of Figure A3.
"""
BASELINE, SMALLEST, LARGEST = "no pruning", "Prune_S", "Prune_L"
NOTHING = ps.Direction("less", than=0.3)
"""Percentage points of test accuracy that count as no gain; proposed here, the paper gives none."""


class Settings(TraceSize):
    """How much is run, and at which sizes of the training set.

    levels: training examples a class, ascending.
    augmentations: without, with, or both.
    """

    levels: Ascending[Count] = Field(default=(128, 512, 2048, 5000), min_length=1)
    augmentations: Ascending[bool] = Field(default=(False, True), min_length=1)


SCALES = {
    **scales_of(Settings, smoke={"blobs": 60, "compress": 8.0, "train_limit": 30, "levels": (2, 6)}),
    "laptop": Settings(levels=(128, 512), replicates=5, test_limit=2000, train_limit=500),
}
"""Two of the paper's four levels are not stated in its text; 512 and 2,048 are proposed here."""
STATED = (128, 5000)
"""Training examples a class that the text states: the fewest, and all of CIFAR-10. Two levels lie between them."""
Cells = Mapping[tuple[int, bool], Comparison]
"""By training examples a class, and whether images are augmented."""


def prune(net: ps.Network, target: Target, size: Size) -> ps.Prune:
    """As many weights of the penultimate layer at the end of every epoch from `START` to `END`, by magnitude.

    Raises UsageError if the schedule is cut so far that nothing is left of it.
    """
    model = Model(net)
    params, _ = model.init(0)
    everything = sum(params[name].numel() for name in model.maskable)
    start, end = (max(1, round(epoch / size.compress)) + 1 for epoch in (START, END))
    if end < start or end > CONV4.length(size):
        raise ps.UsageError(f"compress={size.compress:g} leaves no epochs to prune in; use a smaller one")
    return ps.Prune(
        # A share of all maskable weights, because sparsity counts those of the excluded layers too.
        amount=ps.Sparsity(final=FRACTION * params[LAYER].numel() / everything, curve="linear"),
        target=target,
        exclude=tuple(sorted(model.maskable - {LAYER})),
        when=ps.Every(start=f"{start}ep", end=f"{end}ep", period="1ep"),
    )


def comparison(size: TraceSize, *, examples_per_class: int, augmentation: bool) -> Comparison:
    """No pruning, smallest and largest weights, at one size of the training set.

    Every replicate draws its own examples; the arms of one replicate share them.
    """
    group = replace(CONV4, augmentation=augmentation)
    plain = tuple(
        group.recipe(size, examples_per_class=examples_per_class, seed=seed).replace(seeds=ps.replicate(seed))
        for seed in range(group.runs(size))
    )
    targets: dict[str, Target] = {SMALLEST: "smallest", LARGEST: "largest"}
    cuts = {name: prune(plain[0].task.network, target, size) for name, target in targets.items()}
    arms = [Arm(name, tuple(ps.during_training(run, cut) for run in plain)) for name, cut in cuts.items()]
    observables = Observables(test=size.test_limit, train=size.train_limit)
    return Comparison((Arm(BASELINE, plain), *arms), observables=observables)


def title(level: int, augmented: bool) -> str:
    """What a panel is called."""
    return f"{level} examples a class, {'with' if augmented else 'no'} augmentation"


def _figures(size: Settings) -> Figures:
    cells = {
        (level, augmented): comparison(size, examples_per_class=level, augmentation=augmented)
        for augmented in size.augmentations
        for level in size.levels
    }
    over_size = partial(figures.curves, x_label="training examples a class", log_x=True)
    yield over_size(
        "figa3-left",
        "Figure A3, left: test accuracy minus the baseline's",
        _over_size(cells, SMALLEST, LARGEST),
        "test",
        _gains(cells),
        y_label=f"test accuracy minus the baseline's, {POINTS}",
        value=lambda runs, arm: runs.gap(arm, BASELINE, "test"),
    )
    heading, panels = "Figure A3, middle: generalization gap", _over_size(cells, BASELINE, SMALLEST, LARGEST)
    yield over_size("figa3-middle", heading, panels, "end_gap", _gaps(cells))
    every = {title(*key): runs for key, runs in cells.items()}
    largest = {title(*key): runs for key, runs in cells.items() if key[0] == max(cells)[0]}
    heading = "Figure A3, right: test and training accuracy over epochs"
    yield figures.dynamics("figa3-right", heading, largest, train=True)
    shown = ("test", "best", "final", "train", "end_gap", "mean_drop")
    yield figures.means("figa3-means", "Means of every arm", every, shown)


def _over_size(cells: Cells, *arms: str) -> Curves:
    """Arms over the size of the training set, a panel with and one without augmentation."""
    panels = {augmented: "with augmentation" if augmented else "no augmentation" for _, augmented in cells}
    return {
        panel: {
            arm: [(float(level), runs, arm) for (level, at), runs in cells.items() if at == augmented] for arm in arms
        }
        for augmented, panel in panels.items()
    }


def _source(*levels: int, where: str = PLACE) -> dict[str, Any]:
    """Basis and place of a claim at these levels: not the paper's at those between, which it does not state.

    Fewer examples than the paper's fewest are a smaller scale, as each verdict says.
    """
    few, many = STATED
    proposed = [f"{level}" for level in levels if few < level < many]
    if not proposed:
        return {"place": where}
    return {"basis": "proposed", "place": f"after {where}; {' and '.join(proposed)} examples a class are proposed here"}


def _gains(cells: Cells) -> Claims:
    """Pruning the largest weights helps where examples are few, less where they are many, and not with augmentation."""
    says, few, many = Says(PLACE), min(cells)[0], max(cells)[0]
    gain = {key: runs.gap(LARGEST, BASELINE, "test") for key, runs in cells.items()}
    at_few, at_many = f"With {few} examples a class", f"With {many} examples a class"
    raises = "pruning the largest weights"
    if (few, False) in cells:
        what = f"{at_few} and no augmentation, {raises} raises test accuracy."
        yield says("largest-helps-few", what, gain[few, False], MORE, needs=(), **_source(few))
    if (few, False) in cells and few != many:
        what = f"Without augmentation, the gain from {raises} is smaller with {many} examples a class than with {few}."
        less = (gain[few, False] - gain[many, False]).named(f"gain at {few} minus at {many}")
        yield says("gain-declines", what, less, MORE, **_source(few, many))
    if (many, True) in cells:
        nothing = f"the gain is below {NOTHING.than:g} points (proposed)"
        what = f"{at_many} and augmentation, {raises} gains nothing or loses: {nothing}."
        # The paper says that the gain declines, and more so with augmentation; that it is gone is read off its curve.
        where = f"after {PLACE} (left), not said in its text; the margin is proposed here"
        of = gain[many, True]
        yield says("no-gain-with-augmentation", what, of, NOTHING, needs=(), basis="proposed", place=where)
    if (many, True) in cells and (many, False) in cells:
        what = f"{at_many}, augmentation makes the gain from {raises} smaller."
        less = (gain[many, False] - gain[many, True]).named("gain without minus with augmentation")
        yield says("augmentation-takes-the-gain", what, less, MORE, **_source(many))


def _gaps(cells: Cells) -> Claims:
    """Pruning the largest weights leaves a smaller gap than pruning the smallest."""
    for (level, augmented), runs in cells.items():
        name = f"gap-{level}-{'augmented' if augmented else 'plain'}"
        what = "pruning the largest weights leaves a smaller gap than the smallest."
        gap, where = runs.gap(LARGEST, SMALLEST, "end_gap"), title(level, augmented)
        source = _source(level, where=f"{PLACE} (middle)")
        yield Says(PLACE)(name, f"At {where}, {what}", gap, LESS, needs=(), **source)


build = builder(
    __doc__,
    _figures,
    "Test accuracy at the end is that of the whole test set, after the last epoch: nothing is selected on it.",
    "Every replicate draws its own training examples of each class; its arms share them.",
    "Gains and gaps are in the paper's curves only: directions are claimed.",
)
