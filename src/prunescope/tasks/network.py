"""Networks as values: by import path and arguments, or as instances.

Belongs here: naming and building a network, its identity. Does not belong here: applying it (`model.py`), what happens
to a user's module before it is used (`building.py`).
"""

import inspect
import json
import typing
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import torch
from pydantic import Field, JsonValue, PrivateAttr, field_validator
from torch import Tensor, nn

from prunescope.base.blame import blaming
from prunescope.base.code import code_digest, value_digest
from prunescope.base.errors import CodeChanged, UsageError
from prunescope.base.importing import Importing, resolve
from prunescope.base.installed import is_installed, is_shipped
from prunescope.base.tree import Masks
from prunescope.base.value import array_digest, text_digest
from prunescope.tasks.building import Output, checked, copied, in_training, initialize_lazy, made_permanent
from prunescope.tasks.data.layout import Layout

Prunable = Sequence[str] | Callable[[str, Tensor], bool]
"""Names or patterns of tensors, or a function of name and tensor, which is asked once, when the network is named."""


class Network(Importing):
    """A network by import path and arguments: `path(**args)` returns a fresh `nn.Module`.

    path: import path "module:name" of a class or function that returns the module.
    args: keyword arguments, defaults included.
    revision: a number that is raised when the code behind `path` computes something else.
    given: digest of an instance that is used as given, structure and weights; None for a class or function.
    prunable: names or patterns of the prunable tensors; None stands for every weight matrix and kernel.
    output: member of what the network returns that is the logits; see `building.Output`.
    layout: how inputs are unpacked in front of the network; None if they are one floating tensor.
    """

    path_field: ClassVar[str] = "path"
    added: ClassVar[frozenset[str]] = frozenset({"prunable", "output", "layout"})

    path: str = Field(pattern=r"^[\w.]+:[\w.<>]+$")
    args: dict[str, JsonValue] = {}
    revision: int = Field(default=1, ge=1)
    given: str | None = None
    prunable: tuple[str, ...] | None = None
    output: int | str | None = None
    layout: Layout | None = None
    _live: Any = PrivateAttr(default=None)

    @field_validator("args", mode="before")
    @classmethod
    def _plain(cls, args: dict[str, Any]) -> dict[str, Any]:
        return {name: _lists(args[name]) for name in sorted(args)}

    def build(self, example: Any = None) -> nn.Module:
        """A module with fresh weights, in training mode but for layers that it holds in evaluation mode itself.

        An instance used as given is copied. Weights that torch.nn.utils.prune computes are parameters.

        example: a batch of inputs, for lazy layers.

        Raises UsageError when the factory refuses its arguments, and for hooks that compute weights in other ways.
        """
        return self.build_masked(example)[0]

    def build_masked(self, example: Any = None) -> tuple[nn.Module, Masks]:
        """A module as of `build`, and the masks by name with which torch.nn.utils.prune had pruned it."""
        module = self.bare()
        masks = made_permanent(module)
        if self.layout is not None:
            module.register_forward_pre_hook(self.layout, with_kwargs=True)
        initialize_lazy(in_training(module), example)
        if not is_shipped(module):
            module.register_forward_hook(Output(self.output))
        return module, masks

    def bare(self) -> nn.Module:
        """The module as its factory returns it, on the CPU: without hooks of this package."""
        return copied(self._live) if isinstance(self._live, nn.Module) else checked(self._made()).cpu()

    def _made(self) -> nn.Module:
        if self.given is not None:
            raise UsageError(f"network {self.path} was an instance of another session; build the task again")
        factory = self._live or _factory(self.path)
        given = {name: _tuples(value) for name, value in self.args.items()}
        with blaming(f"{self.path} with arguments {self.args}", always=True):
            module = factory(**given)
        if not isinstance(module, nn.Module):
            raise UsageError(f"{self.path} returned {type(module).__name__}; it must return a fresh torch.nn.Module")
        return module

    def replace(self, **changes: Any) -> Self:
        """See `Value.replace`; an object that cannot be imported is carried over."""
        changed: Self = _with_live(super().replace(**changes), self._live)
        return changed

    def with_args(self, **args: Any) -> "Network":
        """The same network with some arguments changed.

        Raises UsageError for an argument that it does not take, and for an instance, whose arguments are fixed.
        """
        if self.given is not None:
            raise UsageError(
                f"network {self.path} was given as an instance, so its arguments {sorted(args)} are fixed; "
                "give its class or a function that builds it"
            )
        return self.replace(args=_with_defaults(self._live or resolve(self.path), self.path, self.args | args))

    def check_code(self) -> None:
        """Raises CodeChanged where the factory's code is another than when the network was named."""
        if self._live is None:
            super().check_code()
            return
        given = isinstance(self._live, nn.Module)
        if (value_digest(self._live) != self.given) if given else (code_digest(self._live) != self.code):
            raise CodeChanged(
                f"the code behind {self.path} changed since the task was made; make the task again, and the network "
                f"has an id, and results, of its own; or raise its revision (now {self.revision})"
            )

    @property
    def local(self) -> bool:
        """Whether only this process can build it: defined in a notebook, a script or a function, or given."""
        return self.path.startswith("__main__:") or "<" in self.path or self.given is not None


def network(
    path: str, *, revision: int = 1, prunable: Prunable | None = None, output: int | str | None = None, **args: Any
) -> Network:
    """A `Network` with the factory's default arguments written out, so that they enter the id.

    Raises UsageError for an argument that the factory does not take.
    """
    net = Network(path=path, args=_with_defaults(resolve(path), path, args), revision=revision, output=output)
    return with_prunable(net, prunable, None)


def network_of(
    factory: Callable[[], nn.Module] | nn.Module | str,
    *,
    revision: int = 1,
    prunable: Prunable | None = None,
    output: int | str | None = None,
) -> Network:
    """The `Network` of a user's own factory, by itself or its import path; or of an instance, whose weights start all.

    Raises UsageError for what is none of these.
    """
    if isinstance(factory, str):
        return network(factory, revision=revision, prunable=prunable, output=output)
    if not callable(factory):
        raise UsageError(f"{factory!r} is no network; give a class, a function, a module, or 'my_module:Net'")
    code = type(factory) if isinstance(factory, nn.Module) else factory
    while hasattr(code, "func"):
        code = code.func
    path = f"{getattr(code, '__module__', '__main__')}:{getattr(code, '__qualname__', type(code).__name__)}"
    if isinstance(factory, nn.Module):
        live = in_training(copied(factory))
        net = Network(path=path, given=value_digest(live), revision=revision, output=output)
        return with_prunable(_with_live(net, live), prunable, None)
    positional, keywords = getattr(factory, "args", ()), getattr(factory, "keywords", {})
    args = _with_defaults(code, path, keywords, positional)
    net = _with_live(Network(path=path, args=args, revision=revision, output=output), code)
    # All lambdas of a file have the same name, so the module that each builds tells them apart.
    if "<" in path:
        net = net.replace(path=f"{path}.{_module_digest(net)}")
    return with_prunable(net, prunable, None)


def declares_module(path: str) -> bool:
    """Whether a path names a class of modules, or a function annotated to return one. It is imported, never called.

    Raises UsageError when it cannot be imported.
    """
    factory = resolve(path)
    if isinstance(factory, type):
        return issubclass(factory, nn.Module)
    try:
        returns = typing.get_type_hints(factory).get("return")
    except Exception:  # no function, or an annotation that only type checkers can follow
        return False
    return isinstance(returns, type) and issubclass(returns, nn.Module)


def _factory(path: str) -> Any:
    """What a path names, to be called. Raises UsageError for what neither is declared nor was written as a factory."""
    factory = resolve(path)
    module = getattr(factory, "__module__", "")
    if not callable(factory) or (is_installed(module) and not declares_module(path)):
        raise UsageError(
            f"{path} is no network, and is not called to find out; name a class derived from torch.nn.Module, a "
            "function annotated to return one, or a function of your own"
        )
    return factory


def _with_live(net: Network, live: Any) -> Any:
    """The network with what it is built from at hand, whose code is then that of the id, whatever the path names."""
    if live is None:
        return net
    found = type(net).model_construct(
        **{name: getattr(net, name) for name in type(net).model_fields}
        | {"code": None if isinstance(live, nn.Module) else code_digest(live)}
    )
    found._live = live
    return found


def with_prunable(net: Network, prunable: Prunable | None, example: Any) -> Network:
    """The network with its prunable tensors named; a function is asked once, of the module that seed 0 builds.

    example: a batch of inputs, for lazy layers.

    Raises UsageError for a function that names no tensor.
    """
    if prunable is None:
        return net
    if isinstance(prunable, str):
        prunable = (prunable,)
    if not callable(prunable) and not (
        isinstance(prunable, Sequence) and all(isinstance(name, str) for name in prunable)
    ):
        raise UsageError(f"prunable={prunable!r} names nothing; give names, patterns or a function of name and tensor")
    if callable(prunable):
        leaves = _seeded(partial(net.build, example)).named_parameters()
        prunable = [name for name, leaf in leaves if prunable(name, leaf.detach())]
        if not prunable:
            raise UsageError(f"the function prunable= names no tensor of {net.path}; return True for some")
    return net.replace(prunable=tuple(prunable))


def _seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """What `make` returns under seed 0."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return make()


def _module_digest(net: Network) -> str:
    module = checked(_seeded(net._made))
    leaves = [leaf for leaf in module.state_dict().values() if not nn.parameter.is_lazy(leaf)]
    return text_digest(f"{module} {array_digest(*leaves)}")[:8]


def _with_defaults(factory: Any, path: str, args: dict[str, Any], positional: tuple[Any, ...] = ()) -> dict[str, Any]:
    """All arguments by name, with whole numbers as floats where the default is a float.

    A default that is no plain data (a class, for example) is left out, as a part of the code.
    """
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return args
    try:
        bound = signature.bind(*positional, **args)
    except TypeError as problem:
        permitted = ", ".join(signature.parameters)
        raise UsageError(f"{path}: {problem}; it takes {permitted or 'no arguments'}") from None
    complete = dict(bound.arguments)
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            complete |= complete.pop(name, {})
        elif parameter.default is not parameter.empty and _is_plain(parameter.default):
            complete.setdefault(name, parameter.default)
            if type(complete[name]) is int and isinstance(parameter.default, float):
                complete[name] = float(complete[name])
    if unfit := {name: value for name, value in complete.items() if not _is_plain(value)}:
        raise UsageError(
            f"{path}: arguments {unfit} are no plain data (numbers, texts, lists of them), so they have no id; "
            "write a function that builds the network with them"
        )
    return {name: complete[name] for name in sorted(complete)}


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple | list) else value


def _tuples(value: JsonValue) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
