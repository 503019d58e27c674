"""jin2022/appC: Does training that removes nothing match other pruning algorithms, too?"""

from functools import partial

import prunescope as ps
from prunescope.papers.jin2022 import variants
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import AS_CLOSE, SAME, Says
from prunescope.papers.jin2022.quantities import not_itself, of_dense
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.variants import Variant
from prunescope.sparsity.derivative_scores import SynFlow

COST = {"smoke": "half a minute or less", "laptop": "1.5 hours", "paper": "2.5 hours"}
FIGURE = "Appendix C, Figure 8"


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    compared = algorithms(bench)
    longer, tuned = compared["nothing removed"], compared["nothing removed, fine-tuned"]
    claims = (
        _matches(longer, compared["learning-rate rewinding"], statement="extended-matches"),
        _matches(longer, compared["weight rewinding"]),
        _matches(tuned, compared["fine-tuning"]),
        _matches(longer, compared["SynFlow score"], statement="synflow-matches"),
        _matches(longer, compared["one-shot"], levels=(1,)),  # it retrains once, as level 1 does
    )
    title, caption = (
        "Appendix C: other pruning algorithms over sparsity",
        "Test error without label noise over the levels of each algorithm; training that removes nothing is drawn at "
        "the weights remaining of pruning that has trained as long. One-shot pruning reaches every sparsity in a "
        "single retraining, so it trains less.",
    )
    over_sparsity = variants.figure(compared.values(), "app-c", title, caption, claims=claims)
    title, caption = (
        "Appendix C: other pruning algorithms over epochs",
        "The same over the epochs of training in all: beside each algorithm training that removes nothing for as many "
        "steps, by replays of the schedule or, for fine-tuning, of its end.",
    )
    over_epochs = variants.figure(compared.values(), "app-c-epochs", title, caption, over="epochs")
    inside = [variant.optimum_inside for variant in compared.values()]
    note = "Which algorithms the paper's Appendix C compares is not known, but for SynFlow."
    return study(__doc__, size, scale, over_sparsity, over_epochs, cautions=inside, more=[note])


def algorithms(bench: Benchmark) -> dict[str, Variant]:
    """The variants by name, all without label noise."""
    chain = partial(ps.imp, levels=bench.levels, prune=bench.prune, rewind=bench.rewind)
    replays = partial(ps.extended, levels=bench.levels)
    tenth = max(1, bench.base.steps // 10)
    tuned = {"retrain": "fine_tune", "fine_tune": f"{tenth}it", "rewind": "0it"}
    makers: dict[str, variants.Maker] = {
        "nothing removed": partial(replays, rewind=bench.rewind),
        "learning-rate rewinding": chain,
        "weight rewinding": partial(chain, retrain="weight"),
        "fine-tuning": partial(chain, **tuned),
        "nothing removed, fine-tuned": partial(replays, rewind=f"{bench.base.steps - tenth}it"),
        "SynFlow score": partial(chain, prune=bench.prune.replace(score=SynFlow())),
        "one-shot": partial(_one_shots, bench),
    }
    return {name: Variant(bench, name, 0.0, make) for name, make in makers.items()}


def _one_shots(bench: Benchmark, base: ps.Recipe) -> dict[int, ps.Recipe]:
    """Every sparsity of the schedule at once, from the dense network."""
    levels = range(1, bench.levels + 1)
    prunes = {level: bench.prune.replace(amount=ps.Sparsity(final=1 - bench.keeps**level)) for level in levels}
    return {level: ps.one_shot(base, prune=prune, rewind=bench.rewind)[1] for level, prune in prunes.items()}


def _matches(
    control: Variant, variant: Variant, *, statement: str = "algorithm-matches", levels: tuple[int, ...] = ()
) -> ps.Claim:
    """levels: of the control, where only some of them train as long as the variant."""
    name, pruning = variant.name, " pruning" * (variant.name == "one-shot")
    gap, place = control.at_best(*levels) - variant.at_best(), "footnote 2 and App. C (the margin is proposed here)"
    apart = not_itself(control.best_level(*levels), variant.best_level())
    text = f"training as long that removes nothing errs as often as {name}{pruning}, each at its best, {AS_CLOSE}"
    says, name = Says(variant.bench), f"matches-{name.lower().replace(' ', '-')}"
    return says(name, of_dense(gap, variant.bench, 0.0), SAME, text, apart, place=place, statement=statement)
