"""What a network answers to every example of a split, and the labels it is held against."""

import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import logits
from prunescope.tasks.task import Problem, Task


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
        return {"log_probability": outputs.log_softmax(dim=1), "label": label, "index": split.index}
