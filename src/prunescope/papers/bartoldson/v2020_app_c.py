"""bartoldson2020/appC: Where does less stability stop helping, and can little of it help under SGD?

The limits of the trade-off: more pruned in all, Kendall's correlations, tiny steps with SGD.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from prunescope.papers.bartoldson import PAPERS, arms, figures, v2020_fig3
from prunescope.papers.bartoldson.arms import L1, NONE
from prunescope.papers.bartoldson.claims import LESS, Says, as_published, fits
from prunescope.papers.bartoldson.quantities import STABILITIES, Comparison
from prunescope.papers.bartoldson.scales import RESNET18_MORE, RESNET18_SGD, scales_of, words
from prunescope.studies import correlation
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.region import Near
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "3 hours on 2 cores",
    "paper": "a year on 2 cores",
}
FIGURE = "Appendix C"
PLACE = "Bartoldson et al. 2020, section 3.2 and appendix C"
Part = Literal["C1", "C2", "C3"]


class Settings(v2020_fig3.Settings):
    """How much is run, and which parts: Table C1, Figures C1 and C2, Figure C3."""

    parts: tuple[Part, ...] = Field(default=("C1", "C2", "C3"), min_length=1)


SCALES = scales_of(
    Settings,
    smoke={"periods": (4, 300), "parts": ("C2",)},
    laptop={"periods": (4, 40, 100, 300), "parts": ("C2",)},
)


def tiny(settings: Settings) -> Comparison:
    """ResNet18 under SGD, one small event an epoch: 10 %, 6 % and nothing of every convolution inside the blocks."""
    group, made = RESNET18_SGD, []
    for share in (0.06, 0.1):
        layers = arms.blocks(group.recipe(settings).task.network, start=24, end=100, fraction=share)
        name = f"Prune_S {100 * share:g} % in all"
        made.append(arms.pruned(group, layers, settings, "S", period=1, score=L1, name=name))
    return Comparison((arms.plain(group, settings), *made), observables=arms.observables(settings))


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    makers = {"C1": _c1, "C2": _c2, "C3": _c3}
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2020"],
        figures=tuple(figure for part in settings.parts for figure in makers[part](settings)),
        notes=(
            "The numbers of Table C1 and of Figures C1 and C2 are not in the text at hand: directions are claimed.",
        ),
    )


def _c1(settings: Settings) -> Iterator[Figure]:
    """Table C1: ResNet18 with 59 % of the parameters pruned."""
    one = arms.resnet18(settings, RESNET18_MORE)
    panels, says = {"ResNet18, 59 % pruned": one}, Says(one, place=PLACE, arms=one.pruned)
    _, small, large = one.pruned
    worse = says.gap(
        "large-no-longer-best",
        "With 59 % pruned, Prune_L no longer beats Prune_S at the high rate.",
        large,
        small,
        region=LESS,
    )
    place = f"{PLACE} (Table C1)"
    gone = says.gone(
        "parameters-gone-59", large, 59.0, count="structural", size=settings, place=place
    )
    yield figures.means(
        panels,
        ("best", "final", "mean_stability", "structural"),
        name="tablec1",
        title="Table C1: accuracy and stability at 59 % pruned",
        claims=[worse, gone],
    )
    tradeoff = says.correlation(
        "tradeoff-at-59",
        "With 59 % of ResNet18's parameters pruned, best accuracy still falls with mean stability.",
        "mean_stability",
        "best",
        LESS,
    )
    yield figures.correlations(
        panels,
        [(x, y) for x in STABILITIES for y in ("best", "final")],
        arms=one.pruned,
        name="tablec1-correlations",
        title="Correlations at 59 % pruned",
        claims=[tradeoff],
    )


def _c2(settings: Settings) -> Iterator[Figure]:
    """Figures C1 and C2: every rate's points, and Kendall's correlation at every rate."""
    panels = v2020_fig3.by_rate(v2020_fig3.sweep(settings), settings)
    for accuracy, tag, what in (
        ("best", "", "stability and accuracy"),
        ("final", "-final", "stability and accuracy that is not selected"),
    ):
        name, title = f"figc1{tag}", f"Figure C1: {what} by rate"
        yield figures.scatter(panels, "mean_stability", accuracy, name=name, title=title)
    place = "Bartoldson et al. 2020, caption of Figure 3, and appendix C"
    claims = tuple(
        Says(one, place=place)(
            f"kendall-negative-{period}",
            f"At an iterative rate of {rate}, Kendall's correlation of stability and best accuracy is negative too.",
            one.correlation("mean_stability", "best", correlation.tau, unit="Kendall's tau"),
            LESS,
            needs=(fits(one, "best"),),
        )
        for period, (rate, one) in zip(settings.periods, panels.items(), strict=True)
    )
    title = "Figure C2: Kendall's correlation at every rate"
    yield v2020_fig3.correlation_by_rate(panels, name="figc2", title=title, kind="Kendall", claims=claims)


def _c3(settings: Settings) -> Iterator[Figure]:
    """Figure C3: tiny events every epoch, with SGD."""
    one = tiny(settings)
    panels = {"ResNet18, SGD": one}
    for quantity, what in (("best", "accuracy"), ("gap", "gap"), ("final", "accuracy, not selected")):
        name, title = f"figc3-{quantity}", f"Figure C3: stability and {what}"
        yield figures.scatter(panels, "mean_stability", quantity, name=name, title=title)
    shown = ("best", "final", "gap", "mean_stability")
    claims = _gentle(one, settings)
    yield figures.means(panels, shown, name="figc3-means", title="Means of every arm", claims=claims)


def _gentle(one: Comparison, settings: Settings) -> Iterator[Claim]:
    """A little pruning helps, by as much as the authors' figure script says."""
    says, arm = Says(one, place=f"{PLACE}.4"), one.pruned[-1]
    yield says.gap(
        "less-stable-beats-baseline",
        "Under SGD, the less stable of two gentle schedules (10 % in all) beats no pruning.",
        arm,
        NONE,
        needs=(),
    )
    for quantity, what, value, tolerance in (
        ("best", "best accuracy, %,", 93.7, 0.5),
        ("gap", "gap, points,", 6.5, 0.5),
        ("mean_stability", "mean stability, %,", 100.0, 2.0),
    ):
        yield says(
            f"gentle-{quantity.replace('_', '-')}",
            f"The {what} of that schedule is about {value:g} (tolerance proposed).",
            one.value(arm, quantity),
            Near(value, tolerance),
            basis="proposed",
            place="Bartoldson et al. 2020, Figure C3 (where the authors' figure script puts its annotations)",
            needs=(as_published(settings),),
        )
