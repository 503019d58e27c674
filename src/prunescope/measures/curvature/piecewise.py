"""Whether a network's Hessian trace equals its Gauss-Newton trace.

Belongs here: the check of one forward pass, operation by operation. Does not belong here: the trace
(`measures/hessian_trace.py`).

Tr(H) = Tr(G) + (1/N) sum_i sum_c (dl_i / dz_ic) Tr(d^2 z_ic / d w^2). The second term is 0 where every logit is, almost
everywhere, affine in every single parameter. That holds where each operation is piecewise linear in one thing that
depends on parameters, or the product of two things that depend on different parameters: linear layers,
convolutions, ReLU, pooling, residual sums, BatchNorm with running statistics. It fails where activations are curved,
normalization uses the batch, or a weight acts twice in a row.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from prunescope.base.errors import UsageError
from prunescope.base.passes import Watched
from prunescope.measures.curvature.surface import Surface, require_separate

LINEAR, PIECEWISE, PRODUCTS, NORMS, FRESH, READS = (
    frozenset(names.split())
    for names in (
        # Affine in all its arguments together.
        "view _unsafe_view reshape t transpose permute slice select unsqueeze squeeze expand clone detach alias "
        "constant_pad_nd cat stack split chunk unbind mean sum avg_pool1d avg_pool2d _adaptive_avg_pool2d neg _to_copy "
        "add sub rsub copy index index_select flip roll upsample_nearest2d",
        # Piecewise linear in its arguments.
        "relu leaky_relu hardtanh threshold clamp_min max_pool2d_with_indices max_pool3d_with_indices amax maximum abs "
        "max",
        # Linear in each of two factors.
        "convolution mm addmm bmm baddbmm mul mv dot",
        # The same, if the statistics are given.
        "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm",
        # Takes nothing but the shape of its argument.
        "new_empty new_zeros new_ones new_full empty_like zeros_like ones_like",
        # Hands a tensor's content to Python, which can compute otherwise for the next example.
        "_local_scalar_dense equal",
    )
)
"""Operations of torch.ops.aten by what they do."""
DATA = "the inputs"
"""Stands among the names of parameters for what depends on inputs; no parameter's name has a space."""
INSTEAD = "use HessianTraceEstimate, which samples and reports its error"


def require(surface: Surface) -> None:
    """Raises UsageError, naming the operation and the module, where Tr(H) = Tr(G) is not assured.

    Two examples run forward. Operations that this file does not know are refused.
    """
    params = {name: leaf.clone() for name, leaf in surface.params.items()}
    x = surface.x[: min(2, len(surface.x))].clone()
    with torch.no_grad(), _watch(surface.module) as inside, _Dependence(inside) as dependence:
        for name, leaf in params.items():
            dependence.mark(leaf, frozenset({name}))
        dependence.mark(x, frozenset({DATA}))
        surface.logits(params, x)


def holds(surface: Surface) -> bool:
    """Whether `require` and the separation of examples in evaluation mode have nothing against this network."""
    try:
        require_separate(surface)
        require(surface)
    except UsageError:
        return False
    return True


class _Dependence(Watched):  # type: ignore[no-untyped-call]
    """Follows which parameters every storage depends on, and whether on the inputs."""

    def __init__(self, inside: list[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self.inside = inside
        self.names: dict[int, frozenset[str]] = {}
        self.alive: list[Tensor] = []  # so that no storage is given away and its key used again

    def mark(self, tensor: Tensor, names: frozenset[str]) -> None:
        """The tensor's storage depends on these parameters."""
        self.names[tensor.untyped_storage()._cdata] = names
        self.alive.append(tensor)

    def of(self, value: object) -> frozenset[str]:
        """The parameters that an argument depends on."""
        return self._marks(value) - {DATA}

    def _marks(self, value: object) -> frozenset[str]:
        if not isinstance(value, Tensor):
            return frozenset()
        return self.names.get(value.untyped_storage()._cdata, frozenset())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs the operation and notes, or refuses, what its result depends on."""
        kwargs, name = kwargs or {}, func._schema.name.split("::")[-1].rstrip("_")
        marks = [names for value in tree_leaves((args, kwargs)) if (names := self._marks(value))]
        marks = [] if name in FRESH else marks
        if name in READS and marks:
            self._refuse("looks at its data")
        if active := [names - {DATA} for names in marks if names != {DATA}]:
            self._permit(name, active, args)
        result = func(*args, **kwargs)
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.mark(leaf, frozenset().union(self._marks(leaf), *marks))
        return result

    def _permit(self, name: str, active: list[frozenset[str]], args: tuple[Any, ...]) -> None:
        """Refuses an operation on parts that depend on parameters, where its result need not be piecewise linear."""
        product = name in PRODUCTS or (name in NORMS and not any(arg is True for arg in args))
        if name in LINEAR or name in PIECEWISE or (name == "div" and self.of(args[1]) == frozenset()):
            return
        if product and ((name in PRODUCTS and len(active) == 1) or self._separate(name, args)):
            return
        self._refuse("multiplies things that share a weight" if product else f"computes {name!r}")

    def _refuse(self, why: str) -> NoReturn:
        raise UsageError(
            f"module {self._where()} {why}, so the Hessian's trace is not (surely) that of the Gauss-Newton matrix; "
            f"{INSTEAD}"
        )

    def _separate(self, name: str, args: tuple[Any, ...]) -> bool:
        """Whether the factors of a product depend on different parameters; an addend may share."""
        first, second = (args[1], args[2]) if name in ("addmm", "baddbmm") else (args[0], args[1])
        return not self.of(first) & self.of(second)

    def _where(self) -> str:
        name, module = self.inside[-1] if self.inside else ("", nn.Identity())
        return f"{name or 'of the whole network'} ({type(module).__name__})"


@contextmanager
def _watch(module: nn.Module) -> Iterator[list[tuple[str, nn.Module]]]:
    """The modules that are running, outermost first."""
    inside: list[tuple[str, nn.Module]] = []

    def enter(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda part, _inputs: inside.append((name, part))

    handles = []
    for name, part in module.named_modules():
        handles.append(part.register_forward_pre_hook(enter(name)))
        handles.append(part.register_forward_hook(lambda _part, _inputs, _out: inside.pop() and None))
    try:
        yield inside
    finally:
        for handle in handles:
            handle.remove()
