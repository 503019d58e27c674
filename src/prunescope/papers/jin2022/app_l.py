"""jin2022/appL: At which sparsities does pruning fit which training examples better or worse?

The loss of groups of examples at every sparsity, and under extended training.
"""

import prunescope as ps
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.claims import LESS, by_chance, no_more_than_by_chance
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, study
from prunescope.papers.jin2022.subgroups import Subgroups, sparsity_figure, subgroups

__all__ = ["SCALES", "build"]

FIGURE = "Appendix L"
COST = {"smoke": "half a minute or less", "laptop": "1.2 hours", "paper": "2 hours"}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    sub = subgroups(bench, size)
    claims = (harm_comes_late(sub), longer_training_fits_better(sub))
    figures = tuple(
        sparsity_figure(
            sub,
            noise,
            ("pruned", "extended"),
            name=f"app-l-{100 * noise:g}",
            title=f"Appendix L: change in training loss over sparsity, {noise_name(noise)}",
            claims=() if noise else claims,
        )
        for noise in dict.fromkeys((0.0, max(bench.noises_of("extended"))))
    )
    return study(__doc__, size, scale, figures=figures)


def harm_comes_late(sub: Subgroups) -> ps.Claim:
    """One level of pruning makes no group worse, as far as the paper's rule can tell."""
    replicates = sub.bench.replicates
    return sub.says(0.0)(
        "harm-comes-late",
        sub.change("pruned", 0.0, 1).named("", "share of groups not harmed"),
        no_more_than_by_chance(replicates),
        "one level of pruning makes no more groups of training examples worse than the paper's rule finds where "
        f"nothing differs ({100 * by_chance(replicates):.0f} %)",
        place="section 7 (harm only at relatively high sparsities)",
    )


def longer_training_fits_better(sub: Subgroups) -> ps.Claim:
    """Extended dense training lowers the loss of influential examples, too."""
    return sub.says(0.0)(
        "longer-training-fits-better",
        sub.top("extended", 0.0, 1).named("extended minus dense"),
        LESS,
        f"one replay of the schedule without pruning lowers the loss on the examples with the top 20 % of {sub.axis}",
        place="section 5.1 and App. L (one replay is proposed here)",
    )
