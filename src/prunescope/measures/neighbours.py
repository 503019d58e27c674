"""The nearest examples of the other half of a split: what difficulty is estimated from by no network at all."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.task import Problem, Split

_PIXELS = 8  # along each side to which images are averaged before they are compared
_ROWS = 1000  # examples compared with the other half at once


class Neighbours(Measure):
    """For every example the nearest ones of the other half of its split, by Euclidean distance of the inputs.

    neighbours: int64 [N, count], places in the split, nearest first. Halves are even and odd places. Pictures are
        averaged to at most 8 by 8 pixels before. The state only says of which task.
    """

    split: SplitName = "test"
    count: int = 10

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor over the examples of the split, in its order."""
        split = problem.split(self.split)
        x = _features(split)
        places = torch.arange(len(x), device=x.device)
        found = torch.empty(len(x), min(self.count, len(x) // 2), dtype=torch.int64, device=x.device)
        for parity in (0, 1):
            mine, others = places[parity::2], places[1 - parity :: 2]
            for rows in torch.split(mine, _ROWS):
                nearest = torch.cdist(x[rows], x[others]).topk(found.shape[1], largest=False).indices
                found[rows] = others[nearest]
        return {"neighbours": found}


def _features(split: Split) -> Tensor:
    """The inputs as rows of numbers, float32 [N, D]."""
    parts = []
    for x, _ in split.batches(_ROWS):
        picture = x.ndim == 4 and min(x.shape[2:]) > _PIXELS
        parts.append((adaptive_avg_pool2d(x.float(), _PIXELS) if picture else x.float()).reshape(len(x), -1))
    return torch.cat(parts)
