"""bartoldson2020/appC: the limits of the trade-off: more pruned in all, Kendall's correlations, tiny steps with SGD."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from prunescope.papers.bartoldson import pruning, views
from prunescope.papers.bartoldson.arms import STABILITIES, Comparison, arm
from prunescope.papers.bartoldson.pruning import NONE, RESNET18_MORE
from prunescope.papers.bartoldson.sizes import PAPER_2020, words
from prunescope.papers.bartoldson.statements import compares, correlates, fits, is_number, smaller, whole
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2020 import fig3, rates, setting
from prunescope.sparsity.unit_scores import FilterNorm
from prunescope.studies import correlation
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.region import Direction
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study

PLACE = "Bartoldson et al. 2020, section 3.2 and appendix C"
Part = Literal["C1", "C2", "C3"]


class Settings(rates.Settings):
    """How much is run, and which parts: Table C1, Figures C1 and C2, Figure C3."""

    parts: tuple[Part, ...] = Field(default=("C1", "C2", "C3"), min_length=1)


SCALES: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": Settings(**rates.SCALES["smoke"].model_dump(), parts=("C2",)),
        "laptop": Settings(**rates.SCALES["laptop"].model_dump(), parts=("C2",)),
        "paper": Settings(),
    }
)


def tiny(settings: Settings) -> Comparison:
    """ResNet18 under SGD, one small event an epoch: 10 %, 6 % and nothing of every convolution inside the blocks."""
    group = GROUPS["resnet18-sgd"]
    arms = [pruning.plain_arm(group, settings)]
    for share in (0.06, 0.1):
        layers = pruning.blocks(group.recipe(settings).task.network, start=24, end=100, fraction=share)
        recipe = pruning.prune(
            group.recipe(settings), layers, settings, period=1, target="smallest", score=FilterNorm(order=1)
        )
        name = f"Prune_S {100 * share:g} % in all"
        arms.append(arm(name, recipe, pruning.replicates_of(group, settings), rate=layers.rate(settings, 1)))
    return Comparison(tuple(arms), look=setting.look(settings))


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    figures: list[Figure] = []
    claims: list[Claim] = []
    shown: list[Comparison] = []
    makers = {"C1": _c1, "C2": _c2, "C3": _c3}
    for part in settings.parts:
        comparison, drawn, said = makers[part](settings)
        shown.append(comparison)
        figures += drawn
        claims += said
    return Study(
        "bartoldson2020/appC",
        "Where does less stability stop helping, and can little of it help under SGD?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=[node for one in shown for node in one.nodes],
        figures=tuple(figures),
        claims=tuple(claims),
        notes=(
            "The numbers of Table C1 and of Figures C1 and C2 are not in the text at hand: directions are claimed.",
        ),
    )


Made = tuple[Comparison, list[Figure], list[Claim]]


def _c1(settings: Settings) -> Made:
    """Table C1: ResNet18 with 59 % of the parameters pruned."""
    comparison = setting.resnet18(settings, RESNET18_MORE)
    roles = setting.names(RESNET18_MORE, settings)
    arms = (roles["S1"], roles["S13"], roles["L13"])
    panels = {"ResNet18, 59 % pruned": comparison}
    figure = views.means(
        panels,
        ("best", "final", "mean_stability", "structural"),
        name="tablec1",
        title="Table C1: accuracy and stability at 59 % pruned",
    )
    pairs = [(x, y) for x in STABILITIES for y in ("best", "final")]
    correlated = views.correlations(
        panels, pairs, arms=arms, name="tablec1-correlations", title="Correlations at 59 % pruned"
    )
    claims = [
        correlates(
            comparison,
            "tradeoff-at-59",
            "With 59 % of ResNet18's parameters pruned, best accuracy still falls with mean stability.",
            x="mean_stability",
            y="best",
            region=Direction("less"),
            arms=arms,
            place=PLACE,
        ),
        compares(
            comparison,
            "large-no-longer-best",
            "With 59 % pruned, Prune_L no longer beats Prune_S at the high rate.",
            arm=roles["L13"],
            over=roles["S13"],
            region=Direction("less"),
            place=PLACE,
        ),
        smaller(
            comparison,
            "parameters-gone-59",
            arm=roles["L13"],
            percent=59.0,
            count="structural",
            size=settings,
            place=f"{PLACE} (Table C1)",
        ),
    ]
    return comparison, [figure, correlated], claims


def _c2(settings: Settings) -> Made:
    """Figures C1 and C2: every rate's points, and Kendall's correlation at every rate."""
    comparison = rates.sweep(settings)
    panels = rates.panels(comparison, settings)
    figures = [
        *(
            views.scatter(
                panels, "mean_stability", accuracy, name=f"figc1{tag}", title=f"Figure C1: {says} by rate"
            )
            for accuracy, tag, says in (
                ("best", "", "stability and accuracy"),
                ("final", "-final", "stability and accuracy that is not selected"),
            )
        ),
        fig3.by_rate(
            comparison,
            settings,
            name="figc2",
            title="Figure C2: Kendall's correlation at every rate",
            kind="Kendall",
        ),
    ]
    claims = [_kendall(panels[rate], rate, period) for period, rate in rates.titles(settings).items()]
    return comparison, figures, claims


def _kendall(one: Comparison, rate: str, period: int) -> Claim:
    def sample(results: Results) -> Numbers:
        return correlation.pseudo_values(one.points(results, "mean_stability", "best"), correlation.tau)

    return Claim(
        f"kendall-negative-{period}",
        f"At an iterative rate of {rate}, Kendall's correlation of stability and best accuracy is negative too.",
        basis="paper",
        place="Bartoldson et al. 2020, caption of Figure 3, and appendix C",
        region=Direction("less"),
        sample=sample,
        preconditions=(fits(one, "best"),),
        unit="jackknife pseudo-values, one a replicate, of Kendall's tau",
    )


def _c3(settings: Settings) -> Made:
    """Figure C3: tiny events every epoch, with SGD."""
    comparison = tiny(settings)
    panels = {"ResNet18, SGD": comparison}
    pruned = tuple(name for name in comparison.by_name if name != NONE)
    figures = [
        views.scatter(
            panels,
            "mean_stability",
            quantity,
            name=f"figc3-{quantity}",
            title=f"Figure C3: stability and {what}",
        )
        for quantity, what in (("best", "accuracy"), ("gap", "gap"), ("final", "accuracy, not selected"))
    ]
    figures.append(
        views.means(
            panels, ("best", "final", "gap", "mean_stability"), name="figc3-means", title="Means of every arm"
        )
    )
    claim = compares(
        comparison,
        "less-stable-beats-baseline",
        "Under SGD, the less stable of two gentle schedules (10 % in all) beats no pruning.",
        arm=pruned[-1],
        over=NONE,
        place=f"{PLACE}.4",
        preconditions=(),
    )
    numbers = [
        is_number(
            comparison,
            f"gentle-{quantity.replace('_', '-')}",
            f"The {what} of that schedule is about {value:g} (tolerance proposed).",
            arm=pruned[-1],
            quantity=quantity,
            value=value,
            tolerance=tolerance,
            basis="proposed",
            place="Bartoldson et al. 2020, Figure C3 (where the authors' figure script puts its annotations)",
            preconditions=(whole(settings),),
        )
        for quantity, what, value, tolerance in (
            ("best", "best accuracy, %,", 93.7, 0.5),
            ("gap", "gap, points,", 6.5, 0.5),
            ("mean_stability", "mean stability, %,", 100.0, 2.0),
        )
    ]
    return comparison, figures, [claim, *numbers]
