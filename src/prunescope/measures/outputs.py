"""What a network says of every example, and which examples are near each other."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import logits
from prunescope.tasks.task import Problem, Split, Task


class Outputs(Measure):
    """Log probabilities of every class for every example of a split, evaluation mode, no augmentation.

    log_probability: float32 [N, C], nats. label: int64 [N], the labels used. index: int64 [N], the
    example's place in its source.

    50,000 examples of 200 classes are 40 MB.
    """

    split: SplitName = "test"

    def require(self, task: Task) -> None:
        """Refuses a target without one class an example."""
        task.target.require_classes("the probability of every class")

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the examples of the split. Raises UsageError for outputs that are not finite."""
        target, split = problem.target, problem.split(self.split)
        target.require_classes("the probability of every class")
        outputs = logits(problem, weights, split)
        target.require_fit(outputs, split.y, problem.classes)
        if bad := int((~outputs.reshape(len(outputs), -1).isfinite()).any(1).sum()):
            raise UsageError(
                f"the network's outputs are not finite for {bad} of {len(outputs)} {self.split} examples, so they say "
                "nothing; look at its weights and its inputs"
            )
        if outputs.numel() == len(outputs):  # one logit of two classes
            outputs = torch.cat([torch.zeros(len(outputs), 1), outputs.reshape(-1, 1).cpu()], dim=1)
        label = target.labels(split.y)
        if (largest := int(label.max())) >= outputs.shape[1]:
            raise UsageError(
                f"labels reach to {largest}, and the network has {outputs.shape[1]} outputs; give examples of its "
                "classes, numbered as its outputs are"
            )
        return {"log_probability": _ordered(outputs), "label": label, "index": split.index}


def _ordered(outputs: Tensor) -> Tensor:
    """Log probabilities whose largest is that of the largest output: where rounding makes it a tie, the next number."""
    made, largest = outputs.log_softmax(dim=1), outputs.argmax(dim=1, keepdim=True)
    top = made.gather(1, largest)
    return torch.where(made.argmax(1, keepdim=True) == largest, made, made.scatter(1, largest, top.nextafter(-top)))


_PIXELS = 8  # along each side to which images are averaged before they are compared
_ROWS = 1000  # examples compared with the other half at once


class Neighbours(Measure):
    """For every example the nearest ones of the other half of its split, by Euclidean distance of the inputs.

    neighbours: int64 [N, count], places in the split, nearest first. Halves are even and odd places. Pictures are
        averaged to at most 8 by 8 pixels before. The state only says of which task.

    among: those of so many examples of the other half, drawn once for all, so that the work grows with N and not with
        its square; 0 for all of it.
    """

    added: ClassVar[frozenset[str]] = frozenset({"among"})
    split: SplitName = "test"
    count: int = 10
    among: int = Field(default=0, ge=0)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor over the examples of the split, in its order."""
        split = problem.split(self.split)
        x = _features(split)
        places = torch.arange(len(x), device=x.device)
        size = min(self.among or len(x), len(x) // 2)
        found = torch.empty(len(x), min(self.count, size), dtype=torch.int64, device=x.device)
        for parity in (0, 1):
            mine, others = places[parity::2], places[1 - parity :: 2]
            drawn = torch.randperm(len(others), generator=stream(0, "neighbours", str(parity)))[: self.among or None]
            others = others[drawn.sort().values.to(x.device)]
            there = x[others].double()  # float32 loses distances that are small beside the numbers themselves
            for rows in torch.split(mine, _ROWS):
                problem.beat()
                nearest = torch.cdist(x[rows].double(), there).topk(found.shape[1], largest=False).indices
                found[rows] = others[nearest]
        return {"neighbours": found}


def _features(split: Split) -> Tensor:
    """The inputs as rows of numbers, float32 [N, D]."""
    parts = []
    for x, _ in split.batches(_ROWS):
        picture = x.ndim == 4 and min(x.shape[2:]) > _PIXELS
        parts.append((adaptive_avg_pool2d(x.float(), _PIXELS) if picture else x.float()).reshape(len(x), -1))
    return torch.cat(parts)
