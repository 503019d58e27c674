"""Which engine trains on this machine, as a value that is recorded beside every run.

Belongs here: the value, its names, from the value to the engine. Does not belong here: measuring which is fastest
(`calibration.py`), engines themselves (`training/engines/`).
"""

from typing import Any, Literal, cast, get_args

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.tasks.kernels import compiling, jit
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.training.engines.engine import Engine
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.loop import Loop
from prunescope.training.engines.stack import Stack
from prunescope.training.engines.stacked.forward import Method

EngineName = Literal["loop", "lean", "recorded"]
Wanted = Literal["loop", "lean", "compiled"]
"""What can be asked for: "compiled" is "lean" with `Kernels.compiled`."""


class EngineSetting(Value):
    """How runs are trained here: never part of an id; a run that is resumed keeps the setting it began with.

    engine: "loop" is the reference, "lean" works in place, "recorded" plays steps that a GPU has recorded, of a run by
    itself, and where they cannot be it is "lean". kernels: the products that "lean" and evaluations use.
    stack: most runs that train in one program; 1 trains each by itself, and `engine` takes those that cannot be
    stacked. way: how a network is applied to all runs of a program, if it admits that way.
    """

    engine: EngineName = "loop"
    kernels: Kernels = PLAIN
    stack: int = Field(default=1, ge=1)
    way: Method = "layers"

    @classmethod
    def of(cls, told: dict[str, Any]) -> "EngineSetting":
        """The setting that a manifest tells of, among other things."""
        return cls.model_validate({name: told[name] for name in cls.model_fields if name in told})

    @property
    def says(self) -> str:
        """The engine in words, for people."""
        kernels, products = self.kernels, "dense products"
        if kernels.sparse != "none" and kernels.train_below > 0:
            products = f"sparse products ({kernels.sparse}) below a density of {kernels.train_below:g}"
        return (
            f"engine {self.engine}, with {products}{', convolutional networks compiled' * kernels.compiled}"
        )

    def on(self, device: str) -> "EngineSetting":
        """The same with what of its kernels a device makes use of."""
        return self.replace(kernels=self.kernels.on(device))

    def available(self, device: str) -> bool:
        """Whether this machine can do on a device what it says."""
        kernels = self.kernels.on(device)
        own_loops = kernels.sparse == "numba" or kernels.by_hand
        return (jit.available() or not own_loops) and (compiling.available(device) or not kernels.compiled)


LOOP = EngineSetting()
"""The reference, which needs nothing."""


def engine_of(setting: EngineSetting) -> Engine:
    """The engine that a setting names."""
    alone: Engine = Loop() if setting.engine == "loop" else InPlace()
    if setting.engine == "recorded":
        alone = Stack(size=1, otherwise=alone, only_recorded=True)
    return Stack(size=setting.stack, method=setting.way, otherwise=alone) if setting.stack > 1 else alone


def engine_named(name: str, device: str = "cpu") -> Wanted:
    """The engine called `name`. Raises UsageError for one that this machine does not have, naming those that it has."""
    here = [one for one in get_args(Wanted) if one != "compiled" or compiling.available(device)]
    if name not in here:
        lacks = "; 'compiled' needs a C++ compiler (for CUDA: triton)" if name == "compiled" else ""
        raise UsageError(f"there is no engine {name!r} on this machine; it has {', '.join(here)}{lacks}")
    return cast(Wanted, name)
