"""bartoldson2019/fig2: test accuracy during training under three regimes of E[BN] pruning."""

from prunescope.papers.bartoldson import views
from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.pruning import NONE
from prunescope.papers.bartoldson.sizes import PAPER_2019, EventSize, words
from prunescope.papers.bartoldson.statements import compares, recovers
from prunescope.papers.bartoldson2019 import fig1, setting
from prunescope.papers.bartoldson2019.setting import FAST, SLOW
from prunescope.studies.study import Study

Settings, SCALES = EventSize, setting.SCALES
PLACE = "Bartoldson et al. 2019, section 3.1 and Figure 2"


def build(settings: EventSize, scale: str) -> Study:
    """The study under these settings."""
    whole = fig1.comparison(settings)
    arms = tuple(one for one in whole.arms if not one.name.endswith("l2"))
    comparison = Comparison(arms, look=whole.look)
    gentle = fig1.name_of(settings, "E[BN]", "S", SLOW)
    harsh = fig1.name_of(settings, "E[BN]", "L", FAST)
    return Study(
        "bartoldson2019/fig2",
        "How does a network recover from disruptive pruning?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2019,
        nodes=comparison.nodes,
        figures=(
            views.dynamics(
                {"VGG11": comparison}, name="fig2", title="Figure 2: test accuracy during training"
            ),
            views.means(
                {"VGG11": comparison},
                ("mean_drop", "worst_drop", "recovery", "recovered", "recovered_soon", "best", "final"),
                name="fig2-means",
                title="Recovery of every arm",
            ),
        ),
        claims=(
            compares(
                comparison,
                "harsh-beats-none",
                "Pruning the filters of largest expected activation at the high rate beats no pruning.",
                arm=harsh,
                over=NONE,
                place=PLACE,
            ),
            compares(
                comparison,
                "harsh-is-more-disruptive",
                "Its events cost more accuracy than those of the gentlest regime.",
                arm=harsh,
                over=gentle,
                quantity="mean_drop",
                unit="percentage points of mean drop",
                place=PLACE,
            ),
            recovers(comparison, "recovers-within-a-few-epochs", arm=harsh, place=PLACE),
        ),
        notes=(
            "That Prune_L takes 13 % of the last convolution and 8 % of the other three at an event is its schedule, "
            "no result.",
        ),
    )
