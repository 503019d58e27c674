"""Machine code for a few loops that no library has, made in memory by LLVM when they are first used.

Belongs here: counted loops in LLVM's language, compiling, calling. Does not belong here: what is computed
(`sparse_code.py`).

Nothing is written to disk, and compiling takes a few hundredths of a second. Code for the processor at hand: results
are bitwise repeatable on one machine and equal to rounding between machines.
"""

import ctypes
import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

FAST = ("reassoc", "contract", "nsz", "arcp")
"""Sums may be taken in any order; a value that is not a number stays one."""


@cache
def available() -> bool:
    """Whether llvmlite (extra "fast") is installed."""
    return importlib.util.find_spec("llvmlite") is not None


def counted(
    builder: Any,
    start: Any,
    stop: Any,
    body: Callable[[Any, tuple[Any, ...]], Sequence[Any]],
    *,
    carried: Sequence[Any] = (),
    step: int = 1,
) -> tuple[Any, ...]:
    """Writes `for i in range(start, stop, step)`; the body maps (i, carried values) to the next carried values.

    Returns the carried values after the loop.
    """
    entry, function = builder.block, builder.function
    head, inside, after = (function.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(start.type)
    index.add_incoming(start, entry)
    values = [builder.phi(value.type) for value in carried]
    for phi, value in zip(values, carried, strict=True):
        phi.add_incoming(value, entry)
    builder.cbranch(builder.icmp_signed("<", index, stop), inside, after)
    builder.position_at_end(inside)
    moved = body(index, tuple(values))
    index.add_incoming(builder.add(index, index.type(step)), builder.block)
    for phi, value in zip(values, moved, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return tuple(values)


def compiled(module: Any, signatures: dict[str, int]) -> dict[str, Callable[..., None]]:
    """The functions of an LLVM module, callable with so many 64-bit integers and addresses, by name."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # Wide vectors are worth their clock penalty here; LLVM would halve them on some processors.
    features = llvm.get_host_cpu_features()
    flat = features.flatten() + (",-prefer-256-bit" if features.get("avx512f") else "")
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=flat, opt=3
    )
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    made: dict[str, Callable[..., None]] = {}
    for name, count in signatures.items():
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * count)
        address = engine.get_function_address(name)
        call = kind(address)
        call.__dict__.update(engine=engine, address=address)  # the code lives as long as what calls it
        made[name] = call
    return made
