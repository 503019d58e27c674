"""Loops over members of a stack that torch has no operator for.

Belongs here: plain loops on numpy arrays, compiled by `compiled.py`; they check nothing. Does not belong here: who
calls them (`linear.py`, `readout.py`).

R members, B columns (examples, or patches of examples), I inputs, O outputs, M places for the weights of a member.
Sparse weights of member r: row o is value[r, row[r, o] : row[r, o + 1]] at inputs index[r, same places].
Everything is features first, [R, features, B], so that the innermost loops run over neighbors in memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunescope.training.engines.stacked.compiled import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@compiled
def sparse_product(row: Ints, index: Ints, value: Floats, x: Floats, y: Floats) -> None:
    """Y[r] = W[r] x[r]; x: [R, I, B], y: [R, O, B]. Eight weights a sweep, so that y is loaded and stored less."""
    R, O, B = y.shape
    for r in range(R):
        xr = x[r]
        for o in range(O):
            yo = y[r, o]
            for b in range(B):
                yo[b] = 0
            k, end = row[r, o], row[r, o + 1]
            while k + 7 < end:
                i, v = index[r, k : k + 8], value[r, k : k + 8]
                v0, v1, v2, v3, v4, v5, v6, v7 = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
                x0, x1, x2, x3 = xr[i[0]], xr[i[1]], xr[i[2]], xr[i[3]]
                x4, x5, x6, x7 = xr[i[4]], xr[i[5]], xr[i[6]], xr[i[7]]
                for b in range(B):
                    yo[b] += ((v0 * x0[b] + v1 * x1[b]) + (v2 * x2[b] + v3 * x3[b])) + (
                        (v4 * x4[b] + v5 * x5[b]) + (v6 * x6[b] + v7 * x7[b])
                    )
                k += 8
            while k < end:
                weight, xi = value[r, k], xr[index[r, k]]
                for b in range(B):
                    yo[b] += weight * xi[b]
                k += 1


@compiled
def sparse_input_gradient(row: Ints, index: Ints, value: Floats, g: Floats, gx: Floats) -> None:
    """Gx[r] = W[r]^T g[r]; g: [R, O, B], gx: [R, I, B]."""
    R, O, B = g.shape
    gx[:] = 0
    for r in range(R):
        for o in range(O):
            go = g[r, o]
            for k in range(row[r, o], row[r, o + 1]):
                weight, out = value[r, k], gx[r, index[r, k]]
                for b in range(B):
                    out[b] += weight * go[b]


@compiled
def sparse_weight_gradient(row: Ints, index: Ints, g: Floats, x: Floats, gw: Floats) -> None:
    """Gw[r, k] = sum_b g[r, o, b] x[r, i, b] where weight k of member r joins i to o; places without one are 0."""
    R, O, B = g.shape
    for r in range(R):
        xr = x[r]
        for o in range(O):
            go = g[r, o]
            k, end = row[r, o], row[r, o + 1]
            while k + 3 < end:
                x0, x1 = xr[index[r, k]], xr[index[r, k + 1]]
                x2, x3 = xr[index[r, k + 2]], xr[index[r, k + 3]]
                s0 = s1 = s2 = s3 = np.float32(0)
                for b in range(B):
                    gb = go[b]
                    s0 += gb * x0[b]
                    s1 += gb * x1[b]
                    s2 += gb * x2[b]
                    s3 += gb * x3[b]
                gw[r, k], gw[r, k + 1], gw[r, k + 2], gw[r, k + 3] = s0, s1, s2, s3
                k += 4
            while k < end:
                xi, total = xr[index[r, k]], np.float32(0)
                for b in range(B):
                    total += go[b] * xi[b]
                gw[r, k] = total
                k += 1
        for k in range(row[r, O], gw.shape[1]):
            gw[r, k] = 0


@compiled
def spread(y: Floats, place: Ints, out: Floats) -> None:
    """Out[r, o, place[r, b]] = y[r, o, b] and 0 in all other columns; y: [R, O, D], out: [R, O, B]."""
    R, O, D = y.shape
    for r in range(R):
        for o in range(O):
            out[r, o, :] = 0
            for b in range(D):
                out[r, o, place[r, b]] = y[r, o, b]


@compiled
def gather(g: Floats, place: Ints, out: Floats) -> None:
    """Out[r, o, b] = g[r, o, place[r, b]]; g: [R, O, B], out: [R, O, D]."""
    R, O, D = out.shape
    for r in range(R):
        for o in range(O):
            for b in range(D):
                out[r, o, b] = g[r, o, place[r, b]]


@compiled
def add_few(w: Floats, count: Ints, index: Ints, column: Ints, value: Floats, y: Floats) -> None:
    """Y[r, o, c] += w[r, o, i] v for every lone number v of x, at input i and column c; w: [R, O, I] dense.

    count: [R], how many there are of each member; index, column, value: [R, most].
    """
    R, O, _ = y.shape
    for r in range(R):
        for o in range(O):
            wo, yo = w[r, o], y[r, o]
            for k in range(count[r]):
                yo[column[r, k]] += wo[index[r, k]] * value[r, k]


@compiled
def few_gradient(g: Floats, count: Ints, index: Ints, column: Ints, value: Floats, gw: Floats) -> None:
    """Gw[r, o, i] += g[r, o, c] v for every lone number v of x; gw: [R, O, I] dense."""
    R, O, _ = g.shape
    for r in range(R):
        for o in range(O):
            go, wo = g[r, o], gw[r, o]
            for k in range(count[r]):
                wo[index[r, k]] += go[column[r, k]] * value[r, k]


@compiled
def add_few_sparse(
    row: Ints, index: Ints, value: Floats, start: Ints, column: Ints, number: Floats, y: Floats
) -> None:
    """As `add_few` for sparse weights. start: [R, I + 1], where the lone numbers of each input begin."""
    R, O, _ = y.shape
    for r in range(R):
        for o in range(O):
            yo = y[r, o]
            for k in range(row[r, o], row[r, o + 1]):
                i = index[r, k]
                for j in range(start[r, i], start[r, i + 1]):
                    yo[column[r, j]] += value[r, k] * number[r, j]


@compiled
def few_gradient_sparse(
    row: Ints, index: Ints, start: Ints, column: Ints, number: Floats, g: Floats, gw: Floats
) -> None:
    """As `few_gradient` for sparse weights; gw: [R, M]."""
    R, O, _ = g.shape
    for r in range(R):
        for o in range(O):
            go = g[r, o]
            for k in range(row[r, o], row[r, o + 1]):
                i = index[r, k]
                for j in range(start[r, i], start[r, i + 1]):
                    gw[r, k] += go[column[r, j]] * number[r, j]


@compiled
def power_sum(h: Floats, patches: int, power: float, out: Floats, slope: Floats) -> None:
    """Out[r, k, n] = sum_j sum_p max(0, h[r, (k, j), (n, p)])^power, and slope = power max(0, h)^(power - 1).

    h, slope: [R, K * m, N * P]; out: [R, K, N].
    """
    R, O, B = h.shape
    K = out.shape[1]
    m, cubic, square = O // K, power == 3.0, power == 2.0
    factor, less = np.float32(power), np.float32(power - 1)
    total = np.empty(B, np.float32)
    for r in range(R):
        for k in range(K):
            total[:] = 0
            for j in range(m):
                ho, so = h[r, k * m + j], slope[r, k * m + j]
                if cubic:
                    for b in range(B):
                        v = np.float32(0) if ho[b] <= 0 else ho[b]
                        q = v * v
                        total[b] += q * v
                        so[b] = factor * q
                elif square:
                    for b in range(B):
                        v = np.float32(0) if ho[b] <= 0 else ho[b]
                        total[b] += v * v
                        so[b] = factor * v
                else:
                    for b in range(B):
                        if ho[b] <= 0:
                            so[b] = 0
                        else:
                            q = ho[b] ** less
                            total[b] += q * ho[b]
                            so[b] = factor * q
            for n in range(out.shape[2]):
                s = np.float32(0)
                for p in range(patches):
                    s += total[n * patches + p]
                out[r, k, n] = s


@compiled
def power_sum_gradient(g: Floats, patches: int, slope: Floats, gh: Floats) -> None:
    """Gh[r, (k, j), (n, p)] = g[r, k, n] slope[r, (k, j), (n, p)]."""
    R, O, B = slope.shape
    K = g.shape[1]
    m = O // K
    wide = np.empty(B, np.float32)
    for r in range(R):
        for k in range(K):
            for b in range(B):
                wide[b] = g[r, k, b // patches]
            for j in range(m):
                so, go = slope[r, k * m + j], gh[r, k * m + j]
                for b in range(B):
                    go[b] = wide[b] * so[b]


def array(tensor: Any) -> Any:
    """The numpy view of a CPU tensor without a graph, contiguous."""
    return tensor.detach().contiguous().numpy()
