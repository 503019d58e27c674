"""jin2022/appL: At which sparsities does pruning fit which training examples better or worse?

The loss of groups of examples at every sparsity, and under extended training.
"""

import prunescope as ps
from prunescope.papers.jin2022.arms import Arm
from prunescope.papers.jin2022.claims import LESS, MORE, by_chance, no_more_than_by_chance
from prunescope.papers.jin2022.quantities import as_far_as_reached
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.subgroups import Subgroups, sparsity_figure, subgroups
from prunescope.papers.readings import noise_name

FIGURE = "Appendix L"
COST = {"smoke": "half a minute or less", "laptop": "1.2 hours", "paper": "2 hours"}
SHOWN: tuple[Arm, ...] = ("pruned", "extended")


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    sub, title = subgroups(bench, size), "Appendix L: change in training loss over sparsity, {}"
    clean = (harm_comes_late(sub), longer_training_fits_better(sub))
    figures = []
    for noise in dict.fromkeys((0.0, max(bench.noises_of("extended")))):
        claims = (*(() if noise else clean), nonuniform(sub, noise))
        heading = title.format(noise_name(noise))
        figures.append(sparsity_figure(sub, noise, SHOWN, f"app-l-{100 * noise:g}", heading, claims))
    return study(__doc__, size, scale, *figures)


def harm_comes_late(sub: Subgroups) -> ps.Claim:
    """One level of pruning makes no group worse, as far as the paper's rule can tell."""
    change = sub.change("pruned", 0.0, 1).named("", "share of groups not harmed")
    text = (
        "one level of pruning makes no more groups of training examples worse than the paper's rule finds where "
        f"nothing differs ({100 * by_chance(sub.bench.replicates):.0f} %)"
    )
    region, place = no_more_than_by_chance(sub.bench.replicates), "section 7 (harm only at relatively high sparsities)"
    return sub.says(0.0)("harm-comes-late", change, region, text, place=place)


def nonuniform(sub: Subgroups, noise: float) -> ps.Claim:
    """At every sparsity the loss of influential examples changes more than that of the rest."""

    def difference(level: int) -> ps.Quantity:
        groups, top = sub.change("pruned", noise, level), sub.top_groups
        return groups.map(lambda g: abs(g[:, -top:].mean(axis=1)) - abs(g[:, :-top].mean(axis=1)))

    levels = [difference(level) for level in sub.bench.levels_of("pruned", noise)[1:]]
    sizes = as_far_as_reached(levels).named("size of the change on the top 20 % minus on the rest", "share of levels")
    text, place = (
        f"at every sparsity the loss changes more on {sub.influential} than on the rest",
        "section 4, conclusion",
    )
    return sub.says(noise)("nonuniform-at-all-sparsities", sizes, ps.Among(MORE), text, place=place)


def longer_training_fits_better(sub: Subgroups) -> ps.Claim:
    """Extended dense training lowers the loss of influential examples, too."""
    change = sub.top("extended", 0.0, 1).named("extended minus dense")
    text = f"one replay of the schedule without pruning lowers the loss on {sub.influential}"
    place = "section 5.1 and App. L (one replay is proposed here)"
    return sub.says(0.0)("longer-training-fits-better", change, LESS, text, place=place)
