"""Residual networks whose channels can be switched off after the sum with the shortcut.

A gated network has the parameters, initial values and outputs of its plain version while every gate is open. It is
a network of its own, because its gates are part of its state.
"""

import torch
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.tasks.nets.resnet import CifarResNet, ResNet18


class Gate(nn.Module):
    """Returns x [B, C, ...] with the closed channels at exactly 0.

    Its only state is the buffer `gate`, bool [C], True = open.
    """

    gate: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("gate", torch.ones(channels, dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        """The gated input. Raises UsageError for a stack of gates, which needs `torch.func.vmap`."""
        if self.gate.ndim != 1:
            raise UsageError(f"a gate is bool [C], this one is {list(self.gate.shape)}; apply a stack under vmap")
        # A product rather than a masked fill, which tools that trace the network would not recognize.
        return x * self.gate.view(-1, *[1] * (x.ndim - 2))


class GatedCifarResNet(CifarResNet):
    """`CifarResNet` with a gate on every residual sum; arguments and errors are the same.

    Source: Bartoldson et al. 2020, the authors' code: a pruned channel of a block's output gets no shortcut either.
    """

    on_sum = Gate


class GatedResNet18(ResNet18):
    """`ResNet18` with a gate on every residual sum; arguments and errors are the same.

    Source: as for `GatedCifarResNet`.
    """

    on_sum = Gate
