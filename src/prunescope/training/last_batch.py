"""A last batch of one example, of which some networks cannot learn."""

import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.tasks.task import Problem


def check_last_batch(problem: Problem, *, batch: int, drop_last: bool) -> None:
    """Raises UsageError if an epoch ends with one example and the network can be trained by two, but not by one.

    So it is with BatchNorm over features without positions. The network is asked only where a batch has one example.
    """
    count = len(problem.train)
    last = batch if drop_last else count % batch or min(count, batch)
    if last != 1:
        return
    if (problem_of_one := _refusal(problem, 1)) is None or _refusal(problem, 2) is not None:
        return  # what goes wrong with two, too, has another reason
    fix = "use a larger batch" if batch == 1 else f"set drop_last=True, or another batch than {batch}"
    raise UsageError(
        f"{count} training examples in batches of {batch} end with a batch of one example, by which this network "
        f"cannot be trained ({problem_of_one}); {fix}"
    )


def _refusal(problem: Problem, count: int) -> Exception | None:
    """What a training pass over so many examples raises; None if it works, or if there are fewer."""
    if len(problem.train) < count:
        return None
    x = problem.train.inputs.take(problem.train.index[:count])
    params, buffers = (tree.to(part, x.device) for part in problem.model.init(0))
    try:
        with torch.no_grad():
            problem.model.apply(params, buffers, x, train=True)
    except Exception as problem_of_network:  # whatever the user's network raises
        return problem_of_network
    return None
