"""Question: what do exact traces and leading eigenpairs cost, and are they right?

Belongs here: Tr(H), Tr(C) and Lanczos against plain ways to the same numbers. Does not belong here: what flatness
means.
"""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor
from torch.func import functional_call, grad, jvp

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.result import Numbers, Result
from benchmarks.timing import interleaved
from prunescope.base import tree
from prunescope.base.streams import Seeds
from prunescope.measures import GradientTrace, HessianTrace, HessianTraceEstimate, Measure, Sample
from prunescope.measures.curvature import eigenpairs
from prunescope.measures.curvature.products import operator
from prunescope.measures.curvature.surface import CHUNK, surface
from prunescope.runs.execution.executors.processes import keep_memory
from prunescope.runs.machine import memory
from prunescope.runs.machine.devices import one_thread
from prunescope.runs.machine.loader import fresh_weights
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Problem, Task

PROBES = 20


def flatness(lab: Laboratory) -> list[Result]:
    """Tr(H) of VGG-11 (9,231,114 parameters), Tr(C) of LeNet-300-100, and ten eigenpairs of 100,000 parameters.

    Tr(H) on 512 images, once each way, with the graph of 64 images at once in memory; the memory is what a process of
    its own takes at its peak beyond what it held before. Exact: `HessianTrace`; sampled: `HessianTraceEstimate` with
    20 probes. Tr(C) on 512 images, against a loop over single images with `torch.autograd.grad`; its memory is taken
    in the same way, 64 images at once, and may be what whole gradients of as many images would take. Eigenpairs in
    float64 on 256 examples against scipy's `eigsh`, with products by `torch.func.jvp` of `grad`, which share no code
    with ours; the residual of a pair is |H v - value v| / |value| with the same products.
    """
    full = lab.scale.train == FULL.train
    return [
        *_traces(scale=1.0 if full else 0.05, images=512 if full else 4),
        *_gradients(lab, examples=512 if full else 16),
        *_eigenpairs(width=380 if full else 10),
    ]


def _load(source_shape: tuple[int, ...], path: str, **args: Any) -> Problem:
    source = synthetic(classes=10, shape=source_shape, train=16, test=512)
    task = Task(network=network(f"prunescope.tasks.nets:{path}", **args), data=Data(source=source))
    return task.load(Seeds(), source.load())


def _traces(*, scale: float, images: int) -> list[Result]:
    sample, net = Sample(examples=images), {"depth": 11, "scale": scale}
    exact = HessianTrace(sample=sample)
    sampled = HessianTraceEstimate(sample=sample, probes=PROBES)
    truth, took, most = _taken(exact, (3, 32, 32), "VGG", net)
    guess, longer, _ = _taken(sampled, (3, 32, 32), "VGG", net)
    return [
        Result("Tr(H), exact", np.array([took]), "s"),
        Result(f"Tr(H), {PROBES} probes", np.array([longer]), "s"),
        Result("exact : sampled", np.array([100 * took / longer]), "%", high=50),
        Result("memory of the exact trace", np.array([most]), "MiB", high=2048),
        Result("error of the sampled trace", np.array([100 * abs(guess / truth - 1)]), "%"),
    ]


def _taken(measure: Measure, shape: tuple[int, ...], path: str, args: dict[str, Any]) -> tuple[float, float, float]:
    """A trace of fresh weights, the seconds and the MiB that it took in a process of its own.

    Here freed memory lies about, which would be used again and count nothing.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        return processes.submit(_alone, measure, shape, path, args).result()


def _alone(measure: Measure, shape: tuple[int, ...], path: str, args: dict[str, Any]) -> tuple[float, float, float]:
    """The same in this process, after a tiny trace that does not count."""
    keep_memory()
    with one_thread():
        problem = _load(shape, path, **args)
        weights = fresh_weights(problem.model, 0)
        measure.replace(sample=Sample(examples=2)).measure(problem, weights)
        began = time.perf_counter()
        with memory.watched("cpu") as peak:
            found = measure.measure(problem, weights)
        return float(found["trace"]), time.perf_counter() - began, peak() / 2**20


def _gradients(lab: Laboratory, *, examples: int) -> list[Result]:
    problem, weights = lab.problem, lab.weights
    measure = GradientTrace(sample=Sample(examples=min(examples, len(problem.test))))
    x, y = problem.test.batch(torch.arange(min(examples, len(problem.test))))
    module = lab.recipe.task.network.build().eval()
    module.load_state_dict(weights.params)
    leaves, found = list(module.parameters()), {}

    def loop() -> None:
        total = 0.0
        for row in range(len(x)):
            slopes = torch.autograd.grad(problem.loss(module(x[row : row + 1]), y[row : row + 1]).sum(), leaves)
            total += sum(float(slope.square().sum()) for slope in slopes)
        found["loop"] = total / len(x)

    def sweep() -> None:
        found["sweep"] = float(measure.measure(problem, weights)["trace"])

    seconds = interleaved({"sweep": sweep, "loop": loop}, rounds=lab.scale.rounds)
    _, _, most = _taken(measure, (1, 28, 28), "LeNet", {})
    whole = round(CHUNK * 4 * tree.size(weights.params) / 2**20)  # of float32
    return [
        Result("Tr(C), one sweep", 1000 * seconds["sweep"], "ms"),
        Result("Tr(C), a loop over images", 1000 * seconds["loop"], "ms"),
        Result("loop : sweep", seconds["loop"] / seconds["sweep"], "times", low=5),
        Result("difference of the two", np.array([abs(found["sweep"] / found["loop"] - 1)]), "of 1", high=1e-4),
        Result("memory of the sweep", np.array([most]), "MiB", high=whole),
    ]


def _eigenpairs(*, width: int) -> list[Result]:
    problem = _load((1, 14, 14), "LeNet", hidden=(width, 64), inputs=196)
    weights = fresh_weights(problem.model, 0)
    around = surface(problem, weights, Sample(examples=256, precision="float64"))
    began = time.perf_counter()
    start = torch.randn(around.dimension, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = eigenpairs.top(operator(around, "hessian"), start, 10, tolerance=1e-8)
    took = time.perf_counter() - began
    product = _independent(problem, {n: leaf.double() for n, leaf in weights.params.items()}, around.x, around.y)
    values = ours.values.numpy()
    error = np.abs(np.sort(values) / np.sort(_by_scipy(product, around.dimension)) - 1)
    pairs = zip(values, ours.vectors.numpy(), strict=True)
    rest = np.array([np.linalg.norm(product(vector) - value * vector) / abs(value) for value, vector in pairs])
    return [
        Result(f"ten eigenpairs of {around.dimension:,} parameters", np.array([took]), "s"),
        Result("their largest relative error", np.array([error.max()]), "of 1", high=1e-6),
        Result("their largest residual over the value", np.array([rest.max()]), "of 1", high=1e-6),
    ]


def _independent(problem: Problem, params: tree.Tree, x: Tensor, y: Tensor) -> Callable[[Numbers], Numbers]:
    """Products with the Hessian by forward over reverse differentiation."""
    module = problem.model.network.build().double().eval()
    sizes = [leaf.numel() for leaf in params.values()]

    def loss(flat: Tensor) -> Tensor:
        parts = zip(params.items(), torch.split(flat, sizes), strict=True)
        scores = functional_call(module, {name: part.view(leaf.shape) for (name, leaf), part in parts}, (x,))
        return torch.nn.functional.cross_entropy(scores, y)

    point = torch.cat([leaf.flatten() for leaf in params.values()])

    def product(vector: Numbers) -> Numbers:
        along = torch.from_numpy(vector.reshape(-1).copy())
        image: Tensor = jvp(grad(loss), (point,), (along,))[1]
        return image.numpy()

    return product


def _by_scipy(product: Callable[[Numbers], Numbers], dimension: int) -> Numbers:
    """Ten eigenvalues of largest magnitude."""
    linear = LinearOperator((dimension, dimension), matvec=product, dtype=np.float64)
    first = np.random.default_rng(0).standard_normal(dimension)
    found: Numbers = eigsh(linear, k=10, which="LM", return_eigenvectors=False, tol=1e-10, v0=first)
    return found
