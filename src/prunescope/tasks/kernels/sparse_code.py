"""The loops of a product with a sparse matrix, in LLVM's language.

Belongs here: what each loop computes. Does not belong here: loops that are no product (`other_code.py`), compiling
(`jit.py`), one load or store (`writer.py`), tensors and gradients (`products.py`).

Examples are columns: inputs X [in, B] and outputs Y [out, B] with contiguous rows, so that one weight meets `block`
examples at once, whose sums stay in registers while the loop runs over a row's weights. Columns that fill no block
are left to the same loops with smaller blocks.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from prunescope.tasks.kernels.jit import compiled, counted
from prunescope.tasks.kernels.other_code import MOST, cleared, closed, columns, cross_entropy, in_order
from prunescope.tasks.kernels.writer import LANES, Writer

BLOCKS = (8 * LANES, 4 * LANES, LANES)
"""Columns at a time: eight vectors, four, one, of which some lanes may be empty."""
ARGUMENTS = {"spread": 10, "rectified": 10, "gated": 11, "sampled": 10, "descended": 11}
ARGUMENTS |= {"columns": 8, "decoded": 8, "cross_entropy": 8, "cleared": 6, "closed": 6, "in_order": 2}
"""How many numbers and addresses a loop makes use of."""

Call = Callable[..., None]


@cache
def code() -> dict[str, Call]:
    """The compiled loops by name and block, such as "spread128"; made once a process."""
    from llvmlite import ir

    module = ir.Module(name="prunescope")
    signatures = {}
    for block in BLOCKS:
        for name, write in (_WRITERS | (_OTHERS if block == LANES else {})).items():
            arguments = ARGUMENTS[name]
            # All take as many, of which they may use fewer, so that `in_order` can call any of them.
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * MOST)
            function = ir.Function(module, kind, f"{name}{block}")
            builder = ir.IRBuilder(function.append_basic_block("entry"))
            write(Writer(ir, builder, block), *function.args[:arguments])
            builder.ret_void()
            signatures[function.name] = arguments
    return compiled(module, signatures)


@cache
def pieces(columns: int, blocks: tuple[int, ...] = BLOCKS) -> tuple[tuple[int, int, int], ...]:
    """(block, from, to) of the pieces that cover so many columns: whole blocks, but for the last of the smallest.

    >>> pieces(150)
    ((128, 0, 128), (16, 128, 150))
    """
    found: list[tuple[int, int, int]] = []
    start = 0
    for block in blocks:
        stop = columns if block == blocks[-1] else start + (columns - start) // block * block
        if stop > start:
            found.append((block, start, stop))
        start = stop
    return tuple(found)


Given = tuple[str, tuple[int, ...]]
"""A loop with its block, and the numbers and addresses that it is given."""


def given(
    name: str, rows: int, columns: int, *addresses: int, blocks: tuple[int, ...] = BLOCKS
) -> list[Given]:
    """The calls of a loop over all rows that cover so many columns."""
    return [
        (f"{name}{block}", (rows, columns, start, stop, *addresses))
        for block, start, stop in pieces(columns, blocks)
    ]


def _product(
    w: Writer,
    rows: Any,
    columns: Any,
    start: Any,
    stop: Any,
    place: tuple[Any, Any],
    weight: Callable[[Any], Any],
    x: Any,
    begin: Callable[[Any], Any],
    end: Callable[[Any, list[Any]], None],
) -> None:
    """end(index, begin(o) + sum_k weight(k) x[col[k], j]) for ptr[o] <= k < ptr[o + 1] and start <= j < stop.

    place: ptr and col. index: of element [o, j] of an array with so many columns.
    """
    b, (ptr, col) = w.b, place

    def block(at: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
        w.fill(b.sub(stop, at))

        def row(o: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
            def add(k: Any, sums: tuple[Any, ...]) -> list[Any]:
                value = w.splat(weight(k))
                inputs = w.row(x, b.add(b.mul(w.integer(col, k), columns), at))
                return [w.fma(value, one, onto) for one, onto in zip(inputs, sums, strict=True)]

            first, last = w.integer(ptr, o), w.integer(ptr, b.add(o, w.i64(1)))
            sums = counted(b, first, last, add, carried=[begin(o)] * w.count)
            end(b.add(b.mul(o, columns), at), list(sums))
            return ()

        counted(b, w.i64(0), rows, row)
        return ()

    counted(b, start, stop, block, step=w.block)


def _spread(
    w: Writer,
    rows: Any,
    columns: Any,
    start: Any,
    stop: Any,
    ptr: Any,
    col: Any,
    val: Any,
    x: Any,
    y: Any,
    bias: Any,
    *,
    rectified: bool = False,
) -> None:
    """y[o, j] = bias[o] + sum_k val[k] x[col[k], j]; where that is negative, 0 if it is to be rectified."""

    def put(index: Any, sums: list[Any]) -> None:
        w.put(y, index, [w.where_positive(one, one) for one in sums] if rectified else sums)

    _product(
        w,
        *(rows, columns, start, stop, (ptr, col)),
        lambda k: w.number(val, k),
        x,
        lambda o: w.splat(w.number(bias, o)),
        put,
    )


def _gated(
    w: Writer,
    rows: Any,
    columns: Any,
    start: Any,
    stop: Any,
    ptr: Any,
    col: Any,
    val: Any,
    order: Any,
    g: Any,
    h: Any,
    y: Any,
) -> None:
    """y[i, j] = sum_k val[order[k]] g[col[k], j] where h[i, j] > 0, and 0 elsewhere."""
    _product(
        w,
        *(rows, columns, start, stop, (ptr, col)),
        lambda k: w.number(val, w.integer(order, k)),
        g,
        lambda o: w.zero,
        lambda index, sums: w.put(
            y, index, [w.where_positive(seen, one) for seen, one in zip(w.row(h, index), sums, strict=True)]
        ),
    )


def _sampled(
    w: Writer,
    rows: Any,
    columns: Any,
    start: Any,
    stop: Any,
    ptr: Any,
    col: Any,
    g: Any,
    x: Any,
    slope: Any,
    bias: Any,
    step: Any = None,
) -> None:
    """slope[k] = sum_j g[o, j] x[col[k], j] and bias[o] = sum_j g[o, j] over start <= j < stop.

    Added to what is there unless start is 0. step: where a shrinkage s and a rate f lie; instead, what is there is
    multiplied by s where start is 0, and f times the sums are taken off it everywhere.
    """
    b = w.b

    def block(at: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
        w.fill(b.sub(stop, at))
        fresh = b.icmp_signed("==", at, w.i64(0))

        def add(base: Any, index: Any, vectors: list[Any]) -> None:
            place, total = w.place(base, index, w.f32), w.total(vectors)
            if step is None:
                before = b.select(fresh, w.f32(0.0), b.load(place))
                b.store(b.fadd(before, total), place)
            else:
                shrinkage = b.select(fresh, w.number(step, w.i64(0)), w.f32(1.0))
                kept = b.fmul(shrinkage, b.load(place))
                b.store(b.fsub(kept, b.fmul(w.number(step, w.i64(1)), total)), place)

        def row(o: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
            slopes = w.row(g, b.add(b.mul(o, columns), at))
            add(bias, o, slopes)

            def weight(k: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
                inputs = w.row(x, b.add(b.mul(w.integer(col, k), columns), at))
                sums = [b.fmul(one, other) for one, other in zip(slopes[:2], inputs[:2], strict=True)]
                for i in range(2, w.count):
                    sums[i % 2] = w.fma(slopes[i], inputs[i], sums[i % 2])
                add(slope, k, sums)
                return ()

            counted(b, w.integer(ptr, o), w.integer(ptr, b.add(o, w.i64(1))), weight)
            return ()

        counted(b, w.i64(0), rows, row)
        return ()

    counted(b, start, stop, block, step=w.block)


_WRITERS: dict[str, Callable[..., None]] = {
    "spread": _spread,
    "rectified": partial(_spread, rectified=True),
    "gated": _gated,
    "sampled": _sampled,
    "descended": _sampled,
}
_OTHERS: dict[str, Callable[..., None]] = {
    "columns": columns,
    "decoded": partial(columns, decoded=True),
    "cross_entropy": cross_entropy,
    "cleared": cleared,
    "closed": closed,
    "in_order": in_order,
}
