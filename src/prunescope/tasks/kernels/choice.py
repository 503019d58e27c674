"""Which products a machine computes fastest, as a value.

Belongs here: the value. Does not belong here: measuring it (`runs/calibration.py`), the products themselves.
"""

from typing import Literal

from pydantic import Field

from prunescope.base.value import Value

Dense = Literal["rows", "columns", "onednn"]
Sparse = Literal["none", "torch", "llvm"]
SMALL = 100_000
"""Weights of a layer whose products cost torch so little that calling it counts."""


class Kernels(Value):
    """How linear layers are computed: never part of a recipe, recorded beside every run.

    dense: "rows" is `torch.nn.Linear`, "columns" its transposed form with examples as columns, "onednn" oneDNN's
    product. sparse: what computes with kept weights only; "none" computes with all. train_below, evaluate_below:
    densities of a layer's mask below which it does. small_below: that of training for layers with fewer weights than
    `SMALL`, if it is higher. together_below: in a stack of members it does below the lower of
    this and train_below; 0.18 was measured on one machine and stands where nothing was. least: weights, kept or not, of
    the smallest layer for which another product than torch's is worth its overhead. by_hand: whether plain chains of
    linear layers and ReLU, with such a layer among them, are differentiated by hand while they train. merged: whether
    such chains read images as columns wherever they do, and take steps of plain SGD within the product that makes the
    gradient. channels_last:
    whether images lie in memory pixel by pixel while a network with such a convolution runs. without_units: whether
    units that are gone are taken out of such a network. compiled: whether training passes of such a network, as long as
    no unit is taken out, are compiled by `torch.compile`. fused: whether optimizers update in one pass over memory.
    flushed: whether numbers too small for float32's full precision are taken as 0 while a network trains: processors
    take ten times as long for them, and moments of weights without gradients end there.
    """

    dense: Dense = "rows"
    sparse: Sparse = "none"
    train_below: float = Field(default=0.0, ge=0, le=1)
    evaluate_below: float = Field(default=0.0, ge=0, le=1)
    small_below: float = Field(default=0.0, ge=0, le=1)
    together_below: float = Field(default=0.18, ge=0, le=1)
    least: int = Field(default=10_000, ge=1)
    by_hand: bool = False
    merged: bool = False
    channels_last: bool = False
    without_units: bool = False
    compiled: bool = False
    fused: bool = False
    flushed: bool = False

    def below(self, weights: int, *, train: bool) -> float:
        """The density of a layer of so many weights, kept or not, below which sparse products compute it."""
        if not train:
            return self.evaluate_below
        return max(self.train_below, self.small_below) if weights < SMALL else self.train_below

    @property
    def layout(self) -> "Kernels":
        """What of it suits any device and precision: in which order numbers lie in memory, and which are there."""
        return Kernels(least=self.least, channels_last=self.channels_last, without_units=self.without_units)

    def on(self, device: str) -> "Kernels":
        """What of it a device makes use of: products, updates and flushing are those of a CPU."""
        return self if device == "cpu" else self.layout.replace(compiled=self.compiled)


PLAIN = Kernels()
"""What every machine can do."""
