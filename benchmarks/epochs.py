"""Question: how many epochs a second, against a plain loop and against the limit?"""

from benchmarks.laboratory import Laboratory, train
from benchmarks.plain_loop import PlainLoop
from benchmarks.products import Products
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.tasks.evaluation import BATCH
from prunescope.training.probes import Curve


def epochs(lab: Laboratory) -> list[Result]:
    """LeNet-300-100, batch 128, SGD, one core; an epoch is all training steps, one pass over the test set, storing.

    prunescope: as a worker trains, each epoch as a run of its own, so that initialization, manifest, trace and final
    state are paid for every epoch. Plain loop: `DataLoader` over PIL images in the same process, `torch.optim.SGD`,
    test pass through the same path, `torch.save` every epoch; it profits from the same memory settings. Limit: the
    8 products of every training step and the 3 of every test batch, by the fastest means at hand, nothing else.
    """
    recipe, problem = lab.recipe, lab.problem
    test = len(problem.test)
    recipes, probes = lab.recipes(), (Curve(split="test"),)
    plain = PlainLoop(
        recipe.task.network.build(),
        problem.train,
        problem.test,
        lr=0.1,
        batch=recipe.batch,
        optimizer=recipe.optimizer,
    )
    checkpoint = lab.bench.store.root.parent / "plain.pt"
    step, last = Products(recipe.batch), Products(len(problem.train) % recipe.batch or recipe.batch)
    look = Products(min(BATCH, test))

    def limit() -> None:
        for _ in range(recipe.steps - 1):
            step.training()
        last.training()
        for _ in range(-(-test // BATCH)):
            look.forward()

    seconds = interleaved(
        {
            "prunescope": lambda: train(lab.bench, next(recipes), *probes),
            "plain": lambda: plain.epoch(checkpoint),
            "limit": limit,
        },
        rounds=lab.scale.rounds,
    )
    ours = seconds["prunescope"]
    return [
        Result("prunescope", 1 / ours, "epochs/s"),
        Result("plain DataLoader loop", 1 / seconds["plain"], "epochs/s"),
        Result("the products alone", 1 / seconds["limit"], "epochs/s"),
        Result("prunescope : plain loop", seconds["plain"] / ours, "times", low=5),
        Result("prunescope : the products alone", 100 * seconds["limit"] / ours, "%", low=75),
    ]
