"""bartoldson2019/fig1: four ways to prune VGG11: the larger the drops, the better the generalization."""

from prunescope.papers.bartoldson import pruning, views
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.drops import drops
from prunescope.papers.bartoldson.pruning import NONE, VGG11
from prunescope.papers.bartoldson.published import has_p_value
from prunescope.papers.bartoldson.sizes import PAPER_2019, EventSize, words
from prunescope.papers.bartoldson.statements import compares, correlates, fits, moves, smaller, whole
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2019 import setting
from prunescope.papers.bartoldson2019.setting import FAST, SLOW, ScoreName
from prunescope.studies.region import Direction, Value
from prunescope.studies.study import Study

Settings, SCALES = EventSize, setting.SCALES
PLACE = "Bartoldson et al. 2019, section 3.1 and Figure 1"
ALGORITHMS: tuple[tuple[ScoreName, str, int], ...] = (
    ("E[BN]", "S", SLOW),
    ("l2", "S", SLOW),
    ("E[BN]", "S", FAST),
    ("E[BN]", "L", FAST),
)
"""Score, target and period of the four algorithms; which four they are is proposed here, the legend is not at hand."""


def comparison(size: EventSize) -> Comparison:
    """The four algorithms, and no pruning."""
    arms = [pruning.plain_arm(GROUPS["vgg11"], size)]
    for score, letter, period in ALGORITHMS:
        arms.append(setting.scored_arm(size, score, letter, layers=VGG11, period=period))
    return Comparison(tuple(arms), look=setting.look(size))


def name_of(size: EventSize, score: ScoreName, letter: str, period: int) -> str:
    """The name of an algorithm's arm."""
    return setting.title(score, letter, layers=VGG11, size=size, period=period)


def build(settings: EventSize, scale: str) -> Study:
    """The study under these settings."""
    one = comparison(settings)
    pruned = tuple(name for name in one.by_name if name != NONE)
    panels = {"VGG11": one}
    gentle, by_norm = (name_of(settings, score, "S", SLOW) for score in ("E[BN]", "l2"))
    exact = (
        whole(settings),
        fits(one, "mean_drop", "best", arms=pruned),
        moves(one, "mean_drop", arms=pruned),
    )
    return Study(
        "bartoldson2019/fig1",
        "Do ways of pruning that disrupt a network more generalize better?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2019,
        nodes=one.nodes,
        figures=(
            drops(panels, arms=pruned, name="fig1-left", title="Figure 1, left: what every event costs"),
            views.means(
                panels,
                ("mean_positive_drop", "mean_drop", "best", "final"),
                name="fig1-means",
                title="Mean drops and accuracies of every arm",
            ),
            views.scatter(
                panels,
                "mean_drop",
                "best",
                arms=pruned,
                name="fig1-right",
                title="Figure 1, right: drop and accuracy",
            ),
            views.correlations(
                panels,
                (("mean_drop", "best"), ("mean_drop", "final"), ("recalibrated_drop", "best")),
                arms=pruned,
                name="fig1-correlations",
                title="Correlations of drop and accuracy",
            ),
        ),
        claims=(
            correlates(
                one,
                "drop-and-accuracy",
                "Over the runs of four algorithms, accuracy rises with the mean drop.",
                x="mean_drop",
                y="best",
                region=Direction("greater"),
                arms=pruned,
                place=PLACE,
            ),
            correlates(
                one,
                "drop-and-accuracy-r",
                "That correlation is .84 (tolerance: Fisher's interval at 40 runs).",
                x="mean_drop",
                y="best",
                region=Value(0.84, 0.13),
                arms=pruned,
                basis="proposed",
                place=f"{PLACE} gives r = .84; which four algorithms it is of is proposed here",
                preconditions=exact,
            ),
            has_p_value(
                one,
                "drop-and-accuracy-p",
                "Its p-value is 1.6e-11 (tolerance: at the farther end of Fisher's interval at 40 runs).",
                arms=pruned,
                x="mean_drop",
                y="best",
                side="greater",
                p=1.6e-11,
                runs=40,
                tolerance=4.9,
                basis="proposed",
                place=f"{PLACE} gives p = 1.6e-11; which four algorithms it is of is proposed here",
                preconditions=exact,
            ),
            smaller(
                one,
                "parameters-gone",
                arm=pruned[-1],
                percent=42.0,
                count="own",
                size=settings,
                place=f"{PLACE}, caption (of 9,231,114)",
            ),
            compares(
                one,
                "expected-activation-is-gentler",
                "At the low rate, E[BN] disrupts test accuracy less than filters' l2 norms.",
                arm=gentle,
                over=by_norm,
                quantity="mean_drop",
                region=Direction("less"),
                unit="percentage points of mean drop, E[BN] minus l2",
                place="Bartoldson et al. 2019, section 3.2",
            ),
            compares(
                one,
                "expected-activation-is-gentler-by",
                "At the low rate, E[BN] lowers the mean drop by 0.02 points (tolerance proposed).",
                arm=gentle,
                over=by_norm,
                quantity="mean_drop",
                region=Value(-0.02, 0.02),
                preconditions=(whole(settings), fits(one, arms=(gentle, by_norm))),
                unit="percentage points of mean drop, E[BN] minus l2",
                place="Bartoldson et al. 2019, section 3.2",
            ),
        ),
        notes=(
            "Which four algorithms Figure 1 shows is not known here; these four are proposed. Pruning by l2 norms "
            "leaves the bias of normalization alone, as in the paper, which adds to its drops.",
            "The printed p-value of the difference between E[BN] and l2 norms at the low rate, 10e-10, is not claimed: "
            "the text does not say what was tested, nor over what.",
        ),
    )
