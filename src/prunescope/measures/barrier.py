"""The loss on the straight line between two states."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.measures.measure import Comparison, SplitName, State, same_examples
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.recalibration import SINGULAR, STATISTICS, recalibrated, with_singular_vectors


class Barrier(Comparison):
    """The network at (1 - t) a + t b for `points` values of t from 0 to 1, evaluation mode, no augmentation.

    Of a network without running statistics:
    t: float64 [points].
    loss, error: means over the examples at each t, float64 [points]; nats, and in the unit of the target.
    loss_barrier, error_barrier: the largest rise above the straight line between the values at the two ends, float64
        0-D; 0 where the line is never above it.

    With BatchNorm these have running statistics that are averaged like the weights, and there are
    recalibrated_loss, recalibrated_error, recalibrated_loss_barrier, recalibrated_error_barrier: the same with running
        statistics estimated anew at each t from `batches` batches of training examples, whose labels are not used.

    Spectral normalization divides by the norm of the averaged weight.

    split: which examples.
    examples: the first so many of the split; None stands for all.
    batches: 0 leaves the recalibrated values out.
    errors: also QUANTITY_barrier_se, the standard error of a height over the examples, which are paired; the t of the
        largest rise is taken as it is found.

    A height is that of the t looked at: the line may be higher between them.

    Source: Entezari et al. 2022 (rise above the line between the ends); Jordan et al. 2023 (statistics estimated anew).
    """

    added: ClassVar[frozenset[str]] = frozenset({"errors"})
    split: SplitName = "test"
    examples: int | None = Field(default=None, ge=1)
    points: int = Field(default=11, ge=3)
    batches: int = Field(default=8, ge=0)
    batch: int = Field(default=128, ge=2)
    errors: bool = False

    def compare(self, first: State, second: State) -> dict[str, Tensor]:
        """The profile and its height, once or twice."""
        problem = first.problem
        split = same_examples(first, second, self.split, self.examples)
        normalized = any(name.rpartition(".")[2] in STATISTICS for name in first.weights.buffers)
        anew = self.batches > 0 and normalized
        t = torch.linspace(0, 1, self.points, dtype=torch.float64)
        rows: list[list[Tensor]] = []
        for share in t.tolist():
            weights = between(first.weights, second.weights, share)
            weights = with_singular_vectors(problem, weights) if 0 < share < 1 else weights
            states = [weights]
            if anew:
                fresh = recalibrated(problem, weights, batches=self.batches, batch=self.batch)
                states.append(weights.replace(buffers=fresh))
            seen = [evaluate(problem, state, split) for state in states]
            rows.append([numbers for part in seen for numbers in (part.loss.double(), part.wrong)])
        names = ["loss", "error"] + (["recalibrated_loss", "recalibrated_error"] if anew else [])
        values = {"t": t}
        for name, examples in zip(names, map(torch.stack, zip(*rows, strict=True)), strict=True):
            profile = torch.stack([row.mean() for row in examples]).cpu()
            rise = profile - torch.lerp(profile[0], profile[-1], t)
            values |= {name: profile, f"{name}_barrier": rise.max()}
            if self.errors:
                place = int(rise.argmax())
                line = torch.lerp(examples[0], examples[-1], float(t[place]))
                values[f"{name}_barrier_se"] = (examples[place] - line).std() / len(split) ** 0.5
        return values


def between(first: Weights, second: Weights, share: float) -> Weights:
    """The state that lies so far from the first to the second; a weight is removed where both have removed it.

    Statistics of normalization are averaged as well; singular vectors, whose signs are arbitrary, and what is no
    floating number are those of the nearer state.
    """
    if share in (0.0, 1.0):
        return second if share else first
    masks = {name: mask | second.masks[name] for name, mask in first.masks.items()}
    params, buffers = (_averaged(getattr(first, part), getattr(second, part), share) for part in ("params", "buffers"))
    return Weights(params, buffers, masks)


def _averaged(first: Tree, second: Tree, share: float) -> Tree:
    return {
        name: torch.lerp(leaf, second[name], share)
        if leaf.is_floating_point() and name.rpartition(".")[2] not in SINGULAR
        else (second[name] if share > 0.5 else leaf)
        for name, leaf in first.items()
    }
