"""Loops over members of a stack that torch has no operator for.

R members, B columns (examples, or patches of examples), I inputs, O outputs, M places for the weights of a member.
Sparse weights of member r: row o is value[r, row[r, o] : row[r, o + 1]] at inputs index[r, same places].
Everything is features first, [R, features, B], so that innermost loops run over neighbors in memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunescope.tasks.kernels.jit import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@compiled
def sparse_product(row: Ints, index: Ints, value: Floats, x: Floats, y: Floats) -> None:
    """Y[r] = W[r] x[r]; x: [R, I, B], y: [R, O, B]. Eight weights a sweep, so that y is loaded and stored less."""
    R, outs, B = y.shape
    for r in range(R):
        xr = x[r]
        for o in range(outs):
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
    R, outs, B = g.shape
    gx[:] = 0
    for r in range(R):
        for o in range(outs):
            go = g[r, o]
            for k in range(row[r, o], row[r, o + 1]):
                weight, out = value[r, k], gx[r, index[r, k]]
                for b in range(B):
                    out[b] += weight * go[b]


@compiled
def sparse_weight_gradient(row: Ints, index: Ints, g: Floats, x: Floats, gw: Floats) -> None:
    """Gw[r, k] = sum_b g[r, o, b] x[r, i, b] where weight k of member r joins i to o; places without one are 0."""
    R, outs, B = g.shape
    for r in range(R):
        xr = x[r]
        for o in range(outs):
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
        for k in range(row[r, outs], gw.shape[1]):
            gw[r, k] = 0


def array(tensor: Any) -> Any:
    """The numpy view of a CPU tensor without a graph, contiguous."""
    return tensor.detach().contiguous().numpy()
