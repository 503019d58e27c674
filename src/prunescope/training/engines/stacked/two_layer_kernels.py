"""The loops of the two-layer network on inputs that never change: products, readout and their gradients in one sweep.

Belongs here: plain loops on numpy arrays, compiled by `jit.py`; they check nothing. Does not belong here: who
calls them (`two_layer.py`).

R members, C classes with m neurons each, N examples of P patches in B = N * P columns, I inputs. What holds a number
of its own only here and there is apart from the D full columns (`inputs.py`).
"""

import numpy as np
from numpy.typing import NDArray

from prunescope.tasks.kernels.jit import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@compiled
def two_layer(
    y: Floats,
    w: Floats,
    count: Ints,
    index: Ints,
    column: Ints,
    number: Floats,
    order: Ints,
    patches: int,
    power: float,
    out: Floats,
    slope: Floats,
) -> None:
    """Out[r, c, n] = sum_j sum_p max(0, h)^power with h = W x, and slope = power max(0, h)^(power - 1).

    y: [R, C * m, D], W times the full columns; w: [R, C * m, I]. The others hold `count` lone numbers a member, at
    input `index` and column `column`. order: [R, B], the example and patch of a column. out: [R, C, N], 0 before;
    slope: [R, C * m, at least B], columns in this order, the rest 0.
    """
    R, outs, B = slope.shape
    C, D = out.shape[1], y.shape[2]
    factor, less = np.float32(power), np.float32(power - 1)
    total, h = np.empty(B, np.float32), np.empty(B, np.float32)
    for r in range(R):
        for c in range(C):
            total[:] = 0
            for o in range(c * (outs // C), (c + 1) * (outs // C)):
                yo, wo, so = y[r, o], w[r, o], slope[r, o]
                for b in range(D):
                    h[b] = yo[b]
                for b in range(D, B):
                    h[b] = 0
                for k in range(count[r]):
                    h[column[r, k]] += wo[index[r, k]] * number[r, k]
                if power == 3.0:
                    for b in range(B):
                        v = np.float32(0) if h[b] <= 0 else h[b]
                        q = v * v
                        total[b] += q * v
                        so[b] = factor * q
                elif power == 2.0:
                    for b in range(B):
                        v = np.float32(0) if h[b] <= 0 else h[b]
                        total[b] += v * v
                        so[b] = factor * v
                else:
                    for b in range(B):
                        if h[b] <= 0:
                            so[b] = 0
                        else:
                            q = h[b] ** less
                            total[b] += q * h[b]
                            so[b] = factor * q
            for b in range(order.shape[1]):
                out[r, c, order[r, b] // patches] += total[b]


@compiled
def sparse_two_layer(
    row: Ints,
    index: Ints,
    value: Floats,
    x: Floats,
    start: Ints,
    column: Ints,
    number: Floats,
    order: Ints,
    patches: int,
    power: float,
    out: Floats,
    slope: Floats,
) -> None:
    """As `two_layer`, for sparse weights. x: [R, I, D], the full columns; start: [R, I + 1], lone numbers by input."""
    R, outs, B = slope.shape
    C, D = out.shape[1], x.shape[2]
    factor, less = np.float32(power), np.float32(power - 1)
    total, h = np.empty(B, np.float32), np.empty(B, np.float32)
    for r in range(R):
        xr = x[r]
        for c in range(C):
            total[:] = 0
            for o in range(c * (outs // C), (c + 1) * (outs // C)):
                so = slope[r, o]
                h[:] = 0
                k, end = row[r, o], row[r, o + 1]
                while k + 3 < end:
                    v0, v1, v2, v3 = value[r, k], value[r, k + 1], value[r, k + 2], value[r, k + 3]
                    x0, x1 = xr[index[r, k]], xr[index[r, k + 1]]
                    x2, x3 = xr[index[r, k + 2]], xr[index[r, k + 3]]
                    for b in range(D):
                        h[b] += (v0 * x0[b] + v1 * x1[b]) + (v2 * x2[b] + v3 * x3[b])
                    k += 4
                while k < end:
                    v0, x0 = value[r, k], xr[index[r, k]]
                    for b in range(D):
                        h[b] += v0 * x0[b]
                    k += 1
                for k in range(row[r, o], end):
                    i = index[r, k]
                    for j in range(start[r, i], start[r, i + 1]):
                        h[column[r, j]] += value[r, k] * number[r, j]
                if power == 3.0:
                    for b in range(B):
                        v = np.float32(0) if h[b] <= 0 else h[b]
                        q = v * v
                        total[b] += q * v
                        so[b] = factor * q
                elif power == 2.0:
                    for b in range(B):
                        v = np.float32(0) if h[b] <= 0 else h[b]
                        total[b] += v * v
                        so[b] = factor * v
                else:
                    for b in range(B):
                        if h[b] <= 0:
                            so[b] = 0
                        else:
                            q = h[b] ** less
                            total[b] += q * h[b]
                            so[b] = factor * q
            for b in range(order.shape[1]):
                out[r, c, order[r, b] // patches] += total[b]


@compiled
def two_layer_slopes(g: Floats, order: Ints, patches: int, slope: Floats) -> None:
    """Slope[r, (c, j), b] *= g[r, c, n] for the example n of column b: the gradient of h, in place."""
    R, outs, B = slope.shape
    C = g.shape[1]
    wide = np.zeros(B, np.float32)
    for r in range(R):
        for c in range(C):
            for b in range(order.shape[1]):
                wide[b] = g[r, c, order[r, b] // patches]
            for o in range(c * (outs // C), (c + 1) * (outs // C)):
                so = slope[r, o]
                for b in range(B):
                    so[b] *= wide[b]


@compiled
def lone_gradient(gh: Floats, count: Ints, index: Ints, column: Ints, number: Floats, gw: Floats) -> None:
    """Gw[r, o, i] += gh[r, o, b] v for every lone number v, at input i and column b; gw: [R, O, I]."""
    R, outs, _ = gh.shape
    for r in range(R):
        for o in range(outs):
            go, wo = gh[r, o], gw[r, o]
            for k in range(count[r]):
                wo[index[r, k]] += go[column[r, k]] * number[r, k]


@compiled
def sparse_two_layer_gradient(
    g: Floats,
    order: Ints,
    patches: int,
    slope: Floats,
    row: Ints,
    index: Ints,
    x: Floats,
    start: Ints,
    column: Ints,
    number: Floats,
    gw: Floats,
) -> None:
    """Gw[r, k], the gradient of every weight that is there, from that of the outputs, g: [R, C, N]."""
    R, outs, B = slope.shape
    C, D = g.shape[1], x.shape[2]
    wide, go = np.zeros(B, np.float32), np.empty(B, np.float32)
    for r in range(R):
        xr = x[r]
        for c in range(C):
            for b in range(order.shape[1]):
                wide[b] = g[r, c, order[r, b] // patches]
            for o in range(c * (outs // C), (c + 1) * (outs // C)):
                so = slope[r, o]
                for b in range(B):
                    go[b] = wide[b] * so[b]
                k, end = row[r, o], row[r, o + 1]
                while k + 3 < end:
                    x0, x1 = xr[index[r, k]], xr[index[r, k + 1]]
                    x2, x3 = xr[index[r, k + 2]], xr[index[r, k + 3]]
                    s0 = s1 = s2 = s3 = np.float32(0)
                    for b in range(D):
                        s0 += go[b] * x0[b]
                        s1 += go[b] * x1[b]
                        s2 += go[b] * x2[b]
                        s3 += go[b] * x3[b]
                    gw[r, k], gw[r, k + 1], gw[r, k + 2], gw[r, k + 3] = s0, s1, s2, s3
                    k += 4
                while k < end:
                    x0, s0 = xr[index[r, k]], np.float32(0)
                    for b in range(D):
                        s0 += go[b] * x0[b]
                    gw[r, k] = s0
                    k += 1
                for k in range(row[r, o], end):
                    i = index[r, k]
                    for j in range(start[r, i], start[r, i + 1]):
                        gw[r, k] += go[column[r, j]] * number[r, j]
        for k in range(row[r, outs], gw.shape[1]):
            gw[r, k] = 0
