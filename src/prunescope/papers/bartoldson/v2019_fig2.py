"""bartoldson2019/fig2: How does a network recover from disruptive pruning?

Test accuracy during training under three regimes of E[BN] pruning.
"""

from prunescope.papers.bartoldson import figures, v2019_fig1
from prunescope.papers.bartoldson.claims import MORE, Says
from prunescope.papers.bartoldson.paper import Figures, builder
from prunescope.papers.bartoldson.scales import EventSize

COST = {"smoke": "a minute or less", "laptop": "1 hour", "paper": "months"}
FIGURE = "Figure 2"
PLACE = "Bartoldson et al. 2019, section 3.1 and Figure 2"
Settings, SCALES = v2019_fig1.Settings, v2019_fig1.SCALES


def _figures(settings: EventSize) -> Figures:
    four = v2019_fig1.comparison(settings)
    runs = four.only(*(name for name in four.names if not name.endswith("l2")))
    yield figures.dynamics("fig2", "Figure 2: test accuracy during training", {"VGG11": runs})
    says, (none, gentle, _, harsh) = Says(PLACE), runs.names
    what = "Pruning the filters of largest expected activation at the high rate beats no pruning."
    better = says("harsh-beats-none", what, runs.gap(harsh, none), MORE)
    what = "Its events cost more accuracy than those of the gentlest regime."
    disrupts = says("harsh-is-more-disruptive", what, runs.gap(harsh, gentle, "mean_drop"), MORE)
    claims = (better, disrupts, says.recovers("recovers-within-a-few-epochs", runs, harsh))
    shown = ("mean_drop", "worst_drop", "recovery", "recovered", "recovered_soon", "best", "final")
    yield figures.means("fig2-means", "Recovery of every arm", {"VGG11": runs}, shown, claims)


build = builder(
    __doc__,
    _figures,
    "That Prune_L takes 13 % of the last convolution and 8 % of the other three at an event is its schedule, no "
    "result.",
)
