"""bartoldson2019/figA3: what pruning Conv4 does to generalization as the training set grows."""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from prunescope.papers.bartoldson import curves, views
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.conv4 import BASELINE, LARGEST, SMALLEST, comparison
from prunescope.papers.bartoldson.sizes import PAPER_2019, Ascending, Count, TraceSize, words
from prunescope.papers.bartoldson.statements import POINTS, compares
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.region import Direction
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2019, appendix A.4 and Figure A3"
NOTHING = 0.3
"""Percentage points of test accuracy that count as no gain; proposed here, the paper gives none."""


class Settings(TraceSize):
    """How much is run, and at which sizes of the training set.

    levels: training examples a class, ascending. augmentations: without, with, or both.
    """

    levels: Ascending[Count] = Field(default=(128, 512, 2048, 5000), min_length=1)
    augmentations: Ascending[bool] = Field(default=(False, True), min_length=1)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(
            data="blobs",
            blobs=60,
            width=0.0625,
            compress=8.0,
            batch=10,
            replicates=2,
            train_limit=30,
            levels=(2, 6),
        ),
        "laptop": Settings(levels=(128, 512), replicates=5, test_limit=2000, train_limit=500),
        "paper": Settings(),
    }
)
"""Two of the paper's four levels are not stated in its text; 512 and 2,048 are proposed here."""


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    cells = {
        (level, augmented): comparison(settings, examples_per_class=level, augmentation=augmented)
        for augmented in settings.augmentations
        for level in settings.levels
    }
    panels = {title(*key): cell for key, cell in cells.items()}
    largest = {title(*key): cell for key, cell in cells.items() if key[0] == settings.levels[-1]}
    return Study(
        "bartoldson2019/figA3",
        "Does the benefit of unstable pruning vanish as the training set grows?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2019,
        nodes=[node for cell in cells.values() for node in cell.nodes],
        figures=(
            _over_size(
                cells, settings, "test", "figa3-left", "Figure A3, left: test accuracy minus the baseline's"
            ),
            _over_size(cells, settings, "end_gap", "figa3-middle", "Figure A3, middle: generalization gap"),
            views.dynamics(
                largest,
                name="figa3-right",
                title="Figure A3, right: test and training accuracy over epochs",
                train=True,
            ),
            views.means(
                panels,
                ("test", "best", "final", "train", "end_gap", "mean_drop"),
                name="figa3-means",
                title="Means of every arm",
            ),
        ),
        claims=_claims(cells, settings),
        notes=(
            "Test accuracy at the end is that of the whole test set, after the last epoch: nothing is selected on it.",
            "Every replicate draws its own training examples of each class; its arms share them.",
            "Gains and gaps are in the paper's curves only: directions are claimed.",
        ),
    )


def title(level: int, augmented: bool) -> str:
    """What a panel is called."""
    return f"{level} examples a class, {'with' if augmented else 'no'} augmentation"


Cells = Mapping[tuple[int, bool], Comparison]


def _over_size(cells: Cells, settings: Settings, quantity: str, name: str, heading: str) -> Figure:
    """A quantity over the size of the training set; of test accuracy the gain over the baseline."""
    panels = {}
    for augmented in settings.augmentations:
        panels["with augmentation" if augmented else "no augmentation"] = {
            arm: [(float(level), cells[level, augmented], arm) for level in settings.levels]
            for arm in (BASELINE, SMALLEST, LARGEST)
            if not (quantity == "test" and arm == BASELINE)
        }

    def value(cell: Comparison, results: Results, arm: str) -> Numbers:
        return cell.gain(results, arm, "test") if quantity == "test" else cell.values(results, arm, quantity)

    labels = {"test": f"test accuracy minus the baseline's, {POINTS}"}
    return curves.over(
        panels,
        quantity,
        name=name,
        title=heading,
        x_label="training examples a class",
        y_label=labels.get(quantity, ""),
        log_x=True,
        value=value,
    )


def _claims(cells: Cells, settings: Settings) -> tuple[Claim, ...]:
    few, many = settings.levels[0], settings.levels[-1]
    claims: list[Claim] = []
    if False in settings.augmentations:
        claims.append(
            compares(
                cells[few, False],
                "largest-helps-few",
                f"With {few} examples a class and no augmentation, pruning the largest weights raises test accuracy.",
                arm=LARGEST,
                over=BASELINE,
                quantity="test",
                place=PLACE,
                preconditions=(),
            )
        )
        claims += [_less_gain(cells[few, False], cells[many, False], few, many)] if few != many else []
    if True in settings.augmentations:
        claims.append(_none_with_augmentation(cells[many, True], many))
    if settings.augmentations == (False, True):
        claims.append(_less_with_augmentation(cells, many))
    for (level, augmented), cell in cells.items():
        claims.append(
            compares(
                cell,
                f"gap-{level}-{'augmented' if augmented else 'plain'}",
                f"At {title(level, augmented)}, pruning the largest weights leaves a smaller gap than the smallest.",
                arm=LARGEST,
                over=SMALLEST,
                quantity="end_gap",
                region=Direction("less"),
                place=f"{PLACE} (middle)",
                preconditions=(),
            )
        )
    return tuple(claims)


def _less_gain(few: Comparison, many: Comparison, low: int, high: int) -> Claim:
    return Claim(
        "gain-declines",
        f"Without augmentation, the gain from pruning the largest weights is smaller with {high} examples a class than "
        f"with {low}.",
        basis="paper",
        place=PLACE,
        region=Direction("greater"),
        sample=lambda r: few.gain(r, LARGEST, "test") - many.gain(r, LARGEST, "test"),
        unit=f"{POINTS} of gain in test accuracy, at {low} minus at {high}",
    )


def _none_with_augmentation(cell: Comparison, level: int) -> Claim:
    return compares(
        cell,
        "no-gain-with-augmentation",
        f"With {level} examples a class and augmentation, pruning the largest weights gains nothing or loses: the gain "
        f"is below {NOTHING:g} points (proposed).",
        arm=LARGEST,
        over=BASELINE,
        quantity="test",
        region=Direction("less", than=NOTHING),
        place=PLACE,
        preconditions=(),
    )


def _less_with_augmentation(cells: Cells, level: int) -> Claim:
    return Claim(
        "augmentation-takes-the-gain",
        f"With {level} examples a class, augmentation makes the gain from pruning the largest weights smaller.",
        basis="paper",
        place=PLACE,
        region=Direction("greater"),
        sample=lambda r: (
            cells[level, False].gain(r, LARGEST, "test") - cells[level, True].gain(r, LARGEST, "test")
        ),
        unit=f"{POINTS} of gain in test accuracy, without minus with augmentation",
    )
