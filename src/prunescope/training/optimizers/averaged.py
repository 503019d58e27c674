"""The exponential moving average of the weights, beside the weights that are trained."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.tree import Tree
from prunescope.training.optim import OptState, along
from prunescope.training.optimizers.wrapper import Wrapper

AVERAGE, COUNT = "average", "averaged"
"""The average itself, shaped like the parameters, and the number of its updates."""


class Averaged(Wrapper):
    """A rule that also keeps an average a of the parameters p: a = p after the first step, then d a + (1 - d) p.

    The average changes nothing in training. `UseAverage` puts it in the place of the weights, at the end of a run for
    example, and `AverageCurve` evaluates it during the run. Weights that pruning removes are removed from it, too.

    optimizer: the rule that takes the step.
    decay: d, in [0, 1).

    Source: Polyak and Juditsky 1992; torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay).
    """

    decay: float = Field(default=0.999, ge=0, lt=1)

    @property
    def slots(self) -> tuple[str, ...]:  # type: ignore[override]  # those of the rule, and the average
        """See `Optimizer`."""
        return (*self.optimizer.slots, AVERAGE)

    @property
    def elementwise(self) -> bool:  # type: ignore[override]  # as the rule is
        """See `Optimizer`."""
        return self.optimizer.elementwise

    @property
    def stackable(self) -> bool:  # type: ignore[override]  # as the rule is
        """See `Optimizer`."""
        return self.optimizer.stackable

    def init(self, params: Tree) -> OptState:
        """The state of the rule, and an average without a meaning before the first step."""
        count = torch.zeros((), dtype=torch.int64, device=next(iter(params.values())).device)
        average = {name: torch.zeros_like(leaf) for name, leaf in params.items()}
        return {**self.optimizer.init(params), AVERAGE: average, COUNT: {"": count}}

    def update(
        self, grads: Tree, opt: OptState, params: Tree, *, keep: Tree, lr: float | Tensor
    ) -> tuple[Tree, OptState]:
        """See `Optimizer.update`."""
        inner = {part: leaves for part, leaves in opt.items() if part not in (AVERAGE, COUNT)}
        moved, state = self.optimizer.update(grads, inner, params, keep=keep, lr=lr)
        count = opt[COUNT][""]
        share = 1.0 - self.decay * (count > 0).double()
        average = {name: opt[AVERAGE][name].lerp(leaf, along(share, leaf)) for name, leaf in moved.items()}
        return moved, {**state, AVERAGE: average, COUNT: {"": count + 1}}
