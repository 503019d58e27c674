"""Question: how fast are per-example losses of a whole split?"""

import torch

from benchmarks.laboratory import Laboratory
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.tasks.evaluation import BATCH, evaluate


def evaluation(lab: Laboratory) -> list[Result]:
    """Loss and prediction of every training example, against the module called on slices of one tensor.

    Both go through the split in batches of 1000, in evaluation mode and without gradients.
    """
    problem, weights, network = lab.problem, lab.weights, lab.recipe.task.network.build().eval()
    x, _ = problem.train.batch(torch.arange(len(problem.train)))

    @torch.no_grad()
    def forward() -> None:
        for start in range(0, len(x), BATCH):
            network(x[start : start + BATCH])

    seconds = interleaved(
        {"ours": lambda: evaluate(problem, weights, problem.train), "forward": forward},
        rounds=lab.scale.rounds,
    )
    examples = len(problem.train)
    return [
        Result("per-example losses and predictions", examples / seconds["ours"], "examples/s"),
        Result("a bare forward pass", examples / seconds["forward"], "examples/s"),
        Result(
            "per-example losses : bare forward pass", 100 * seconds["forward"] / seconds["ours"], "%", low=80
        ),
    ]
