"""The loops of a multi-layer perceptron with few weights, on numpy arrays; they check nothing.

Belongs here: products over kept weights, their gradients, the loss, and whole steps of plain SGD. Does not belong here:
compiling (`jit.py`), tensors and autograd (`products.py`), which network is such (`training/engines/mlp.py`).

Examples are columns: inputs x [in, B] and outputs y [out, B] are contiguous, so that innermost loops run over neighbors
in memory. Kept weights of output o: val[k] at input col[k] for ptr[o] <= k < ptr[o + 1]; those of input i, column by
column: val[order[k]] at output col[k]. Indices are unsigned: numba would ask every signed one whether it counts from
the end. Several weights meet a row in one sweep, so that the row is loaded and stored less often. A comparison keeps
what is not a number, by which a diverging run is known.
"""

import numpy as np
from numpy.typing import NDArray

from prunescope.tasks.kernels.jit import compiled

Floats = NDArray[np.float32]
Index = NDArray[np.uint32]
Bools = NDArray[np.bool_]
Several = tuple[NDArray[np.float32], ...]
Indices = tuple[NDArray[np.uint32], ...]
Masks = tuple[NDArray[np.bool_], ...]


@compiled
def spread(ptr: Index, col: Index, val: Floats, bias: Floats, x: Floats, y: Floats, rectified: bool) -> None:
    """y[o] = bias[o] + sum_k val[k] x[col[k]]; where that is negative, 0 if it is to be rectified."""
    outs, B = y.shape
    for o in range(outs):
        yo = y[o]
        for j in range(B):
            yo[j] = bias[o]
        k, end = np.int64(ptr[o]), np.int64(ptr[o + 1])
        while k + 7 < end:
            v0, v1, v2, v3 = val[k], val[k + 1], val[k + 2], val[k + 3]
            v4, v5, v6, v7 = val[k + 4], val[k + 5], val[k + 6], val[k + 7]
            x0, x1, x2, x3 = x[col[k]], x[col[k + 1]], x[col[k + 2]], x[col[k + 3]]
            x4, x5, x6, x7 = x[col[k + 4]], x[col[k + 5]], x[col[k + 6]], x[col[k + 7]]
            for j in range(B):
                yo[j] += ((v0 * x0[j] + v1 * x1[j]) + (v2 * x2[j] + v3 * x3[j])) + (
                    (v4 * x4[j] + v5 * x5[j]) + (v6 * x6[j] + v7 * x7[j])
                )
            k += 8
        while k < end:
            v0, x0 = val[k], x[col[k]]
            for j in range(B):
                yo[j] += v0 * x0[j]
            k += 1
        if rectified:
            for j in range(B):
                yo[j] = np.float32(0) if yo[j] <= 0 else yo[j]


@compiled
def gated(ptr: Index, col: Index, order: Index, val: Floats, g: Floats, h: Floats, out: Floats) -> None:
    """out[i] = sum_k val[order[k]] g[col[k]] where h[i] is positive, and 0 elsewhere: back through layer and ReLU."""
    ins, B = out.shape
    for i in range(ins):
        yi, hi = out[i], h[i]
        for j in range(B):
            yi[j] = 0
        k, end = np.int64(ptr[i]), np.int64(ptr[i + 1])
        while k + 7 < end:
            v0, v1, v2, v3 = val[order[k]], val[order[k + 1]], val[order[k + 2]], val[order[k + 3]]
            v4, v5, v6, v7 = val[order[k + 4]], val[order[k + 5]], val[order[k + 6]], val[order[k + 7]]
            g0, g1, g2, g3 = g[col[k]], g[col[k + 1]], g[col[k + 2]], g[col[k + 3]]
            g4, g5, g6, g7 = g[col[k + 4]], g[col[k + 5]], g[col[k + 6]], g[col[k + 7]]
            for j in range(B):
                yi[j] += ((v0 * g0[j] + v1 * g1[j]) + (v2 * g2[j] + v3 * g3[j])) + (
                    (v4 * g4[j] + v5 * g5[j]) + (v6 * g6[j] + v7 * g7[j])
                )
            k += 8
        while k < end:
            v0, g0 = val[order[k]], g[col[k]]
            for j in range(B):
                yi[j] += v0 * g0[j]
            k += 1
        for j in range(B):
            yi[j] = np.float32(0) if hi[j] <= 0 else yi[j]


@compiled
def descend(
    ptr: Index, col: Index, g: Floats, x: Floats, val: Floats, bias: Floats, shrinkage: float, rate: float
) -> None:
    """val[k] = shrinkage val[k] - rate sum_j g[o, j] x[col[k], j], and likewise bias[o] with sum_j g[o, j]."""
    outs, B = g.shape
    for o in range(outs):
        go = g[o]
        k, end = np.int64(ptr[o]), np.int64(ptr[o + 1])
        while k + 3 < end:
            x0, x1, x2, x3 = x[col[k]], x[col[k + 1]], x[col[k + 2]], x[col[k + 3]]
            s0 = s1 = s2 = s3 = np.float32(0)
            for j in range(B):
                s0 += go[j] * x0[j]
                s1 += go[j] * x1[j]
                s2 += go[j] * x2[j]
                s3 += go[j] * x3[j]
            val[k] = shrinkage * val[k] - rate * s0
            val[k + 1] = shrinkage * val[k + 1] - rate * s1
            val[k + 2] = shrinkage * val[k + 2] - rate * s2
            val[k + 3] = shrinkage * val[k + 3] - rate * s3
            k += 4
        while k < end:
            x0, s0 = x[col[k]], np.float32(0)
            for j in range(B):
                s0 += go[j] * x0[j]
            val[k] = shrinkage * val[k] - rate * s0
            k += 1
        s0 = np.float32(0)
        for j in range(B):
            s0 += go[j]
        bias[o] = shrinkage * bias[o] - rate * s0


@compiled
def gather(rows: NDArray[np.uint64], examples: Floats, live: Index, x: Floats) -> None:
    """x[i, j] = examples[rows[j], i] for the inputs i in `live`; eight examples fill half a line of the cache."""
    j, B = 0, len(rows)
    while j + 7 < B:
        e0, e1, e2, e3 = (examples[rows[j]], examples[rows[j + 1]], examples[rows[j + 2]], examples[rows[j + 3]])
        e4, e5, e6, e7 = (examples[rows[j + 4]], examples[rows[j + 5]], examples[rows[j + 6]], examples[rows[j + 7]])
        for i in live:
            xi = x[i]
            xi[j], xi[j + 1], xi[j + 2], xi[j + 3] = e0[i], e1[i], e2[i], e3[i]
            xi[j + 4], xi[j + 5], xi[j + 6], xi[j + 7] = e4[i], e5[i], e6[i], e7[i]
        j += 8
    while j < B:
        e0 = examples[rows[j]]
        for i in live:
            x[i, j] = e0[i]
        j += 1


@compiled
def cross_entropy(z: Floats, labels: NDArray[np.int64], g: Floats) -> np.float32:
    """The mean loss (nats) of logits z [classes, B]; g = (softmax(z) - onehot(labels)) / B, its gradient."""
    classes, B = z.shape
    loss, scale = np.float32(0), np.float32(1) / np.float32(B)
    for j in range(B):
        largest, total = z[0, j], np.float32(0)
        for c in range(1, classes):
            largest = z[c, j] if z[c, j] > largest else largest
        for c in range(classes):
            g[c, j] = np.exp(z[c, j] - largest)
            total += g[c, j]
        label = np.uint64(labels[j])
        loss += np.log(total) + largest - z[label, j]
        for c in range(classes):
            g[c, j] = g[c, j] / total * scale
        g[label, j] -= scale
    return loss * scale


@compiled
def close(h: Floats, g: Floats) -> None:
    """G = 0 where h is not positive: back through a ReLU with outputs h, both flat."""
    for k in range(len(g)):
        g[k] = np.float32(0) if h[k] <= 0 else g[k]


@compiled
def clear(keep: Bools, values: Floats) -> None:
    """Values = 0 where they are not kept, both flat; an empty mask keeps all."""
    for k in range(len(keep)):
        values[k] = values[k] if keep[k] else np.float32(0)


@compiled
def steps(
    rows: NDArray[np.uint64],
    labels: NDArray[np.int64],
    rates: Floats,
    examples: Floats,
    live: Index,
    across: tuple[Indices, Indices],
    back: tuple[Indices, Indices, Indices],
    values: Several,
    biases: Several,
    keep: tuple[Masks, Masks],
    h: Several,
    g: Several,
    losses: Floats,
) -> None:
    """Steps of plain SGD on batches rows [n, B] with labels [n, B]; rates: shrinkage and learning rate, [n, 2].

    One entry a layer: across, back: its weights by output and by input; keep: of weights and biases. h: the inputs and
    every layer's outputs; g: the gradients of these outputs before the ReLU.
    """
    last = len(values) - 1
    for n in range(len(rows)):
        gather(rows[n], examples, live, h[0])
        for layer in range(last + 1):
            ptr, col = across[0][layer], across[1][layer]
            spread(ptr, col, values[layer], biases[layer], h[layer], h[layer + 1], layer < last)
        losses[n] = cross_entropy(h[last + 1], labels[n], g[last])
        for layer in range(last, -1, -1):
            if layer:
                ptr, col, order = back[0][layer], back[1][layer], back[2][layer]
                gated(ptr, col, order, values[layer], g[layer], h[layer], g[layer - 1])
            ptr, col = across[0][layer], across[1][layer]
            descend(ptr, col, g[layer], h[layer], values[layer], biases[layer], rates[n, 0], rates[n, 1])
            clear(keep[0][layer], values[layer])
            clear(keep[1][layer], biases[layer])
