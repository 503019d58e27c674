"""How linear layers and images are computed on this machine, as a value."""

from typing import Any, Literal

from pydantic import Field, model_validator

from prunescope.base.value import Value
from prunescope.tasks.kernels import flushing, jit

Sparse = Literal["none", "numba"]
REMOVED = ("dense", "without_units", "small_below", "together_below", "compiled")
"""Fields of older versions: oneDNN's and transposed products, networks without the filters that are gone, switch points
of small layers and of stacks, training passes by `torch.compile`."""


class Kernels(Value):
    """How linear layers are computed: never part of a recipe, recorded beside every run.

    sparse: what computes with kept weights only, loops compiled by numba; "none" computes with all.
    train_below, evaluate_below: the densities of a layer's mask below which it does.
    least: weights, kept or not, of the smallest layer for which another product than torch's is worth its overhead.
    by_hand: whether perceptrons with such a layer are differentiated by hand while they train.
    merged: whether such perceptrons read images as columns, and take steps of plain SGD within the product that makes
        the gradient.
    channels_last: whether images lie in memory pixel by pixel while a network with a large convolution runs.
    fused: whether optimizers update in one pass over memory.
    flushed: whether numbers too small for float32's full precision are taken as 0 while a network trains. Processors
        take ten times as long for them, and the averages of gradients that stay 0 end there.

    What older versions recorded is read: loops were once made by LLVM, products by torch's CSR, and what computes
    otherwise no more computes plainly, so that a replay of such a run agrees to rounding.
    """

    sparse: Sparse = "none"
    train_below: float = Field(default=0.0, ge=0, le=1)
    evaluate_below: float = Field(default=0.0, ge=0, le=1)
    least: int = Field(default=10_000, ge=1)
    by_hand: bool = False
    merged: bool = False
    channels_last: bool = False
    fused: bool = False
    flushed: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_older_versions(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        kept = {name: value for name, value in fields.items() if name not in REMOVED}
        now = {"llvm": "numba", "torch": "none"}.get(kept.get("sparse", ""))
        return kept if now is None else {**kept, "sparse": now}

    @property
    def layout(self) -> "Kernels":
        """The part that suits any device and precision: in which order numbers lie in memory."""
        return Kernels(least=self.least, channels_last=self.channels_last)

    def on(self, device: str) -> "Kernels":
        """The part that a device makes use of: products, updates and flushing are those of a CPU."""
        return self if device == "cpu" else self.layout


PLAIN = Kernels()
"""What every machine can do."""


def fastest() -> Kernels:
    """What is fastest on a CPU; where sparse products overtake dense ones differs little between processors."""
    loops = jit.available()
    return Kernels(
        sparse="numba" if loops else "none",
        train_below=0.45 if loops else 0.0,
        evaluate_below=0.4 if loops else 0.0,
        by_hand=loops,
        merged=loops,
        channels_last=True,
        fused=True,
        flushed=flushing.available(),
    )
