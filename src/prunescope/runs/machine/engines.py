"""Which engine trains on this machine, as a value that is recorded beside every run."""

from typing import Any, Literal, cast, get_args

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.value import Value
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.training.engines.engine import Engine, Loop
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.stack import Stack
from prunescope.training.engines.stacked.forward import Method

EngineName = Literal["loop", "lean", "recorded"]
EngineOption = Literal["loop", "lean"]
"""What a user can ask for; "recorded" is chosen by price."""


class EngineSetting(Value):
    """How runs are trained: never part of an id; a run that is resumed keeps the setting it began with.

    engine: "loop" is the reference; "lean" works in place; "recorded" replays the steps of one run that a GPU has
        recorded, and is "lean" where they cannot be recorded.
    kernels: the products that "lean" and evaluations use.
    stack: most runs that train in one program; 1 trains each by itself, as `engine` does those that cannot be stacked.
    way: how a network is applied to all runs of a program, if it admits that way.
    """

    engine: EngineName = "loop"
    kernels: Kernels = PLAIN
    stack: int = Field(default=1, ge=1)
    way: Method = "layers"

    @classmethod
    def of(cls, execution: dict[str, Any]) -> "EngineSetting":
        """The setting in a manifest's record of the execution, which has other fields, too."""
        return cls.model_validate({name: execution[name] for name in cls.model_fields if name in execution})

    @property
    def sentence(self) -> str:
        """The engine in words, for people."""
        kernels, products = self.kernels, "dense products"
        if kernels.sparse != "none" and kernels.train_below > 0:
            products = f"sparse products ({kernels.sparse}) below a density of {kernels.train_below:g}"
        return f"engine {self.engine}, with {products}"

    def on(self, device: str) -> "EngineSetting":
        """The part of the setting that this device uses."""
        return self.replace(kernels=self.kernels.on(device))

    def available(self, device: str) -> bool:
        """Whether this machine has on a device everything that the setting names."""
        kernels = self.kernels.on(device)
        return jit.available() or not (kernels.sparse == "numba" or kernels.by_hand)


LOOP = EngineSetting()
"""The reference, which needs nothing."""


def engine_of(setting: EngineSetting) -> Engine:
    """The engine that a setting names."""
    alone: Engine = Loop() if setting.engine == "loop" else InPlace()
    if setting.engine == "recorded":
        alone = Stack(size=1, otherwise=alone, only_recorded=True)
    return Stack(size=setting.stack, method=setting.way, otherwise=alone) if setting.stack > 1 else alone


def engine_named(name: str) -> EngineOption:
    """The engine called `name`. Raises UsageError for one that is not there, naming those that are."""
    if name not in (options := get_args(EngineOption)):
        raise UsageError(f"there is no engine {name!r} on this machine; it has {', '.join(options)}")
    return cast(EngineOption, name)
