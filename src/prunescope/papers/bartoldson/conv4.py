"""Conv4's penultimate layer, pruned weight by weight: the data-size experiment of the 2019 paper.

Belongs here: how that layer is pruned, and the arms at one size of the training set. Does not belong here: filters
(`pruning.py`).
"""

from prunescope.base.errors import UsageError
from prunescope.base.streams import replicate
from prunescope.papers.bartoldson.arms import Arm, Comparison, Look
from prunescope.papers.bartoldson.sizes import Size, TraceSize
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.runs.graph.families import during_training
from prunescope.sparsity.select import Sparsity, Target
from prunescope.tasks.model import Model, Network
from prunescope.training.interventions import Every, Prune

LAYER = "fc1.weight"
START, END, FRACTION = 3, 18, 0.9
"""First and last epoch with pruning, counted from 0, every epoch between them, and the share that goes in all.

Source: Bartoldson et al. 2019, caption of Figure A3.
"""
BASELINE, SMALLEST, LARGEST = "no pruning", "Prune_S", "Prune_L"


def prune(net: Network, target: Target, size: Size) -> Prune:
    """As many weights of the penultimate layer at the end of every epoch from `START` to `END`, by magnitude.

    Raises UsageError if the schedule is cut so far that nothing is left of it.
    """
    model = Model(net)
    params, _ = model.init(0)
    everything = sum(params[name].numel() for name in model.maskable)
    start, end = (max(1, round(epoch / size.compress)) + 1 for epoch in (START, END))
    if end < start or end > GROUPS["conv4"].length(size):
        raise UsageError(f"compress={size.compress:g} leaves no epochs to prune in; use a smaller one")
    return Prune(
        # A share of all maskable weights, because sparsity counts those of the excluded layers too.
        amount=Sparsity(final=FRACTION * params[LAYER].numel() / everything, curve="linear"),
        target=target,
        exclude=tuple(sorted(model.maskable - {LAYER})),
        when=Every(start=f"{start}ep", end=f"{end}ep", period="1ep"),
    )


def comparison(size: TraceSize, *, examples_per_class: int, augmentation: bool) -> Comparison:
    """No pruning, smallest and largest weights, at one size of the training set.

    Every replicate draws its own examples; the arms of one replicate share them.
    """
    group = GROUPS["conv4"].augmented(augmentation)
    replicates = group.replicates if size.replicates == "paper" else size.replicates
    plain = []
    for seed in range(replicates):
        recipe = group.recipe(size, examples_per_class=examples_per_class, seed=seed)
        plain.append(recipe.replace(seeds=replicate(seed)))
    rate = 100 * FRACTION / (END - START + 1)
    arms = [Arm(BASELINE, tuple(plain))]
    targets: dict[str, Target] = {SMALLEST: "smallest", LARGEST: "largest"}
    for name, target in targets.items():
        cut = prune(plain[0].task.network, target, size)
        arms.append(Arm(name, tuple(during_training(run, cut) for run in plain), rate))
    return Comparison(tuple(arms), look=Look(test=size.test_limit, train=size.train_limit))
