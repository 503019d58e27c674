"""bartoldson2019/fig2: How does a network recover from disruptive pruning?

Test accuracy during training under three regimes of E[BN] pruning.
"""

from dataclasses import replace

from prunescope.papers.bartoldson import PAPERS, figures, v2019_fig1
from prunescope.papers.bartoldson.arms import NONE
from prunescope.papers.bartoldson.claims import Says
from prunescope.papers.bartoldson.scales import EventSize, scales_of, words
from prunescope.studies.study import Study, titled

COST = {
    "smoke": "a minute or less on 2 cores",
    "laptop": "1 hour on 2 cores",
    "paper": "months on 2 cores",
}
FIGURE = "Figure 2"
Settings = EventSize
SCALES = scales_of(EventSize)
PLACE = "Bartoldson et al. 2019, section 3.1 and Figure 2"


def build(settings: EventSize, scale: str) -> Study:
    """The study under these settings."""
    every = v2019_fig1.comparison(settings)
    one = replace(every, arms=tuple(arm for arm in every.arms if not arm.name.endswith("l2")))
    says, (gentle, _, harsh) = Says(one, place=PLACE), one.pruned
    claims = (
        says.gap(
            "harsh-beats-none",
            "Pruning the filters of largest expected activation at the high rate beats no pruning.",
            harsh,
            NONE,
        ),
        says.gap(
            "harsh-is-more-disruptive",
            "Its events cost more accuracy than those of the gentlest regime.",
            harsh,
            gentle,
            "mean_drop",
        ),
        says.recovers("recovers-within-a-few-epochs", harsh),
    )
    return Study(
        *titled(__doc__),
        settings=settings,
        scale=words(settings, scale),
        paper=PAPERS["bartoldson2019"],
        figures=(
            figures.dynamics({"VGG11": one}, name="fig2", title="Figure 2: test accuracy during training"),
            figures.means(
                {"VGG11": one},
                ("mean_drop", "worst_drop", "recovery", "recovered", "recovered_soon", "best", "final"),
                name="fig2-means",
                title="Recovery of every arm",
                claims=claims,
            ),
        ),
        notes=(
            "That Prune_L takes 13 % of the last convolution and 8 % of the other three at an event is its schedule, "
            "no result.",
        ),
    )
