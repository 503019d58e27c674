"""Question: what do many replicas in one program gain?"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.laboratory import Laboratory
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.base.streams import replicate
from prunescope.papers.yang2023.scales import Setting, pruned
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.loader import with_kernels
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.training.engines.engine import Engine, Replica
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.stack import Stack
from prunescope.training.run import Member

KEEPS = (1.0, 0.3, 0.1, 0.03, 0.01)
SIZES = (1, 4, 16, 64)


def stack(lab: Laboratory) -> list[Result]:
    """A training step of one replica in a program of R, in microseconds, on one core.

    The two-layer network is the reference of Yang et al. (K = 2, d = 400, n = 100, m = 50), full batch, every member
    with its own data and mask; plain PyTorch: the module itself, autograd, `torch.optim.SGD`, the gradient masked, the
    loss read at every step. Its products: x W^T and g^T x of all patches, dense. LeNet-300-100 is dense, at batch 128.
    """
    quick = lab.scale.rounds == 1
    members, steps = (2, 3) if quick else (64, 40)
    plain, products = _plain_two_layer(steps), _products(steps)
    programs = {keep: advancing(lab, two_layer(keep, members), Stack(size=members), steps) for keep in KEEPS}
    contestants: dict[str, Callable[[], object]] = {"plain": plain, "products": products}
    contestants |= {f"{keep:g}": program for keep, program in programs.items()}
    seconds = interleaved(contestants, rounds=lab.scale.rounds)
    micros = {name: 1e6 * values / steps for name, values in seconds.items()}
    each = {keep: micros[f"{keep:g}"] / members for keep in KEEPS}
    rows = [
        Result("two-layer: plain PyTorch", micros["plain"], "µs"),
        Result("two-layer: its dense products", micros["products"], "µs"),
    ]
    for keep in KEEPS:
        rows.append(Result(f"two-layer, keep {keep:g}, {members} in one program", each[keep], "µs"))
        rows.append(Result(f"plain : stack, keep {keep:g}", micros["plain"] / each[keep], "times", low=3))
        rows.append(Result(f"stack : products, keep {keep:g}", each[keep] / micros["products"], "times", high=2))
    return [*rows, *_scaling(lab, quick)]


def _scaling(lab: Laboratory, quick: bool) -> list[Result]:
    sizes = SIZES[:2] if quick else SIZES
    few = 2 if quick else 10
    contestants: dict[str, Callable[[], object]] = {}
    for size in sizes:
        contestants[f"two-layer {size}"] = advancing(lab, two_layer(0.01, size), Stack(size=size), few)
    for size in sizes:
        recipes = [lab.recipe.replace(seeds=replicate(k)) for k in range(size)]
        contestants[f"LeNet {size}"] = advancing(lab, recipes, Stack(size=size), few)
    contestants["LeNet alone"] = advancing(lab, [lab.recipe], InPlace(), few)
    seconds = interleaved(contestants, rounds=lab.scale.rounds)
    rows = []
    for name, values in seconds.items():
        size = int(name.split()[-1]) if name[-1].isdigit() else 1
        what = f"{name.split()[0]}, R = {size}" if name[-1].isdigit() else "LeNet, by itself (lean)"
        rows.append(Result(what, 1e6 * values / few / size, "µs"))
    return rows


def two_layer(keep: float, count: int) -> list[Recipe]:
    """The reference of Yang et al., pruned to a share of its weights, so many replicates."""
    setting = Setting(target=1e-9, most_steps=10**6)
    return [pruned(setting.dense(number), keep) for number in range(count)]


def members_of(bench: Workbench, recipes: Sequence[Recipe], kernels: Kernels) -> list[Member]:
    """Runs where their first step begins."""
    members = []
    for recipe in recipes:
        program = with_kernels(bench.program(recipe), kernels)
        member = Member(program, bench.start(recipe, program))
        member.arrive()
        members.append(member)
    return members


def advancing(lab: Laboratory, recipes: Sequence[Recipe], engine: Engine, steps: int) -> Callable[[], object]:
    """So many steps of all recipes by an engine; going on where it was, as a run does."""
    kernels = lab.bench.setting.kernels
    replicas: list[Replica] = [member.replica for member in members_of(lab.bench, recipes, kernels)]

    def several() -> None:
        nonlocal replicas
        replicas = engine.advance(replicas, steps)

    return several


def _plain_two_layer(steps: int) -> Callable[[], object]:
    recipe = two_layer(1.0, 1)[0]
    network = recipe.task.network.build()
    x, y, mask = torch.randn(100, 2, 400), torch.randint(0, 2, (100,)), (torch.rand(100, 400) < 0.1).float()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    [weight] = list(network.parameters())

    def several() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            loss: Tensor = F.cross_entropy(network(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            assert weight.grad is not None
            weight.grad.mul_(mask)
            optimizer.step()
            loss.item()

    return several


def _products(steps: int) -> Callable[[], object]:
    x, w, g = torch.randn(200, 400), torch.randn(100, 400), torch.randn(200, 100)

    def several() -> None:
        for _ in range(steps):
            x @ w.t()
            g.t() @ x

    return several
