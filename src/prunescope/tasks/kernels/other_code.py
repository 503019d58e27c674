"""The loops of a step that are no product, in LLVM's language.

Belongs here: examples into columns, the loss with its gradient, masks, one loop after another. Does not belong here:
products (`sparse_code.py`).

Examples are columns, as many at a time as a vector has lanes.
"""

from typing import Any

from prunescope.tasks.kernels.jit import counted
from prunescope.tasks.kernels.writer import LANES, Writer

MOST = 11
"""Numbers and addresses that every loop takes."""


def cross_entropy(
    w: Writer, classes: Any, columns: Any, start: Any, stop: Any, z: Any, labels: Any, g: Any, loss: Any
) -> None:
    """G = (softmax(z) - onehot(labels)) / columns, [classes, columns], and loss[0] = the mean cross-entropy."""
    b = w.b
    count = w.splat(b.sitofp(columns, w.f32))

    def at_class(c: Any, at: Any) -> Any:
        return b.add(b.mul(c, columns), at)

    def block(at: Any, sums: tuple[Any, ...]) -> list[Any]:
        w.fill(b.sub(stop, at))
        own = w.integers(labels, at)
        largest = counted(
            b,
            w.i64(0),
            classes,
            lambda c, best: [w.larger(best[0], w.row(z, at_class(c, at))[0])],
            carried=[w.splat(w.f32(-3.0e38))],
        )[0]

        def seen(c: Any, parts: tuple[Any, ...]) -> list[Any]:
            [logit] = w.row(z, at_class(c, at))
            power = w.call("exp", b.fsub(logit, largest))
            w.put(g, at_class(c, at), [power])
            mine = b.icmp_signed("==", own, w.splat(c, w.i64))
            return [b.fadd(parts[0], power), b.fadd(parts[1], b.select(mine, logit, w.zero))]

        total, chosen = counted(b, w.i64(0), classes, seen, carried=[w.zero, w.zero])

        def slope(c: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
            [power] = w.row(g, at_class(c, at))
            mine = b.icmp_signed("==", own, w.splat(c, w.i64))
            share = b.fsub(b.fdiv(power, total), b.select(mine, w.splat(w.f32(1.0)), w.zero))
            w.put(g, at_class(c, at), [b.fdiv(share, count)])
            return ()

        counted(b, w.i64(0), classes, slope)
        losses = b.fsub(b.fadd(w.call("log", total), largest), chosen)
        return [b.fadd(sums[0], b.select(w.filled, losses, w.zero))]

    [losses] = counted(b, start, stop, block, carried=[w.zero], step=w.block)
    b.store(b.fdiv(w.total([losses]), b.sitofp(columns, w.f32)), w.place(loss, w.i64(0), w.f32))


def columns(
    w: Writer,
    count: Any,
    batch: Any,
    start: Any,
    stop: Any,
    live: Any,
    examples: Any,
    table: Any,
    x: Any,
    *,
    decoded: bool = False,
) -> None:
    """x[live[i], j] = examples[j][live[i]] for start <= j < stop; examples: addresses of rows of float32.

    decoded: rows are of bytes instead, and table[examples[j][live[i]]] takes the place of their entries.
    """
    b = w.b

    def block(at: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
        w.fill(b.sub(stop, at))
        # An empty lane reads the last example once more.
        last = b.sub(stop, w.i64(1))
        numbers = [b.add(at, w.i64(lane)) for lane in range(LANES)]
        held = [b.select(b.icmp_signed("<", j, stop), j, last) for j in numbers]
        sources = [b.load(w.place(examples, j, w.i64, size=8)) for j in held]

        def pixel(i: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
            place = w.integer(live, i)
            vector = w.ir.Constant(w.vector, w.ir.Undefined)
            for lane, source in enumerate(sources):
                number = w.number(table, w.byte(source, place)) if decoded else w.number(source, place)
                vector = b.insert_element(vector, number, w.i32(lane))
            w.put(x, b.add(b.mul(place, batch), at), [vector])
            return ()

        counted(b, w.i64(0), count, pixel)
        return ()

    counted(b, start, stop, block, step=w.block)


def cleared(w: Writer, _: Any, count: Any, start: Any, stop: Any, gone: Any, values: Any) -> None:
    """values[k] = 0 where bit k of `gone` is set, for start <= k < stop; rows come first, as for the other loops.

    A bit for a number, so that a mask does not drive weights out of the cache.
    """
    b, bits = w.b, w.ir.IntType(LANES)

    def block(at: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
        some = b.load(w.place(gone, b.lshr(at, w.i64(3)), bits, size=1))
        w.filled = b.bitcast(some, w.ir.VectorType(w.ir.IntType(1), LANES))
        w.put(values, at, [w.zero])
        return ()

    counted(b, start, stop, block, step=w.block)


def closed(w: Writer, _: Any, count: Any, start: Any, stop: Any, h: Any, g: Any) -> None:
    """g[k] = 0 where h[k] is not positive, for start <= k < stop: a ReLU with outputs h, back."""

    def block(at: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
        w.fill(w.b.sub(stop, at))
        [seen], [slope] = w.row(h, at), w.row(g, at)
        w.put(g, at, [w.where_positive(seen, slope)])
        return ()

    counted(w.b, start, stop, block, step=w.block)


def in_order(w: Writer, count: Any, calls: Any) -> None:
    """Calls so many loops; calls: int64 [count, 1 + MOST], the address of each loop and what it is given."""
    b = w.b
    kind = w.ir.FunctionType(w.ir.VoidType(), [w.i64] * MOST)

    def one(number: Any, _: tuple[Any, ...]) -> tuple[Any, ...]:
        start = b.mul(number, w.i64(1 + MOST))
        loop, *given = (
            b.load(w.place(calls, b.add(start, w.i64(i)), w.i64, size=8)) for i in range(1 + MOST)
        )
        b.call(b.inttoptr(loop, kind.as_pointer()), given)
        return ()

    counted(b, w.i64(0), count, one)
