"""The benchmark of a GPU, on a CPU: every method is measured, ratios are to what they say, what fails says so.

What only a GPU has, its peak memory, is left out there.
"""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.column import minutes, programs
from benchmarks.gpu import KINDS, aims, limit_of, measured, rows
from benchmarks.limits import Layers, Limit
from benchmarks.methods import Contestant, Timed, convolutional, timed
from benchmarks.plain_loop import PAD, augmented
from PIL import Image

from benchmarks import limits
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.store.store import Store
from prunescope.tasks.nets import CifarResNet, LeNet

LENET = replace(KINDS["LeNet-300-100"], args={"hidden": (8,), "inputs": 16}, shape=(1, 4, 4), batch=4, epoch=16)
RESNET = replace(KINDS["ResNet-20"], args={"depth": 8, "width": 8}, shape=(3, 8, 8), batch=4, epoch=16)
STACKS = ("stack", "vmap")


@pytest.fixture
def bench(tmp_path):
    return Workbench(Store(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "alone"),
    [(LENET, ("lean",)), (RESNET, ("lean", "lean, channels last"))],
    ids=["lenet", "resnet"],
)
def test_every_way_is_measured_and_compared(bench, kind, alone):
    recipe = kind.recipe("float32")
    limit = limit_of(bench, recipe, 2, rounds=1)
    for size, apart in ((1, alone), (3, ())):
        methods = measured(bench, recipe, size, alone=bool(apart), rounds=1, least=0.0)
        assert tuple(methods) == ("DataLoader loop", "loop", *apart, *STACKS)
        assert not any(method.why for method in methods.values())
        found = {row.what: row.median for row in rows(methods, limit, size, steps=4, megabytes=False)}
        assert not any("memory" in what for what in found)
        rates = {method: found[f"{method}, R = {size}"] for method in methods}
        assert all(math.isfinite(rate) and rate > 0 for rate in rates.values())
        for method in (*apart, *STACKS):
            for base in ("DataLoader loop", "loop"):
                assert math.isclose(found[f"{method} : {base}, R = {size}"], rates[method] / rates[base])
        best = max(rates, key=rates.__getitem__)
        assert math.isclose(found[f"the layers alone : {best}, R = {size}"], 100 * 4 * limit.layers[0] * rates[best])


def test_images_are_augmented_where_the_papers_are():
    assert KINDS["ResNet-20"].recipe("float32").task.data.augmentation
    assert KINDS["VGG11"].recipe("float32").task.data.augmentation
    assert not KINDS["LeNet-300-100"].recipe("float32").task.data.augmentation


def test_the_network_called_vgg11_has_eleven_layers():
    network = KINDS["VGG11"].recipe("float32").task.network.build()
    assert sum(leaf.numel() for leaf in network.parameters()) == 9_231_114


def test_the_plain_loop_mirrors_and_crops():
    torch.manual_seed(0)
    image = Image.fromarray(np.arange(1, 65, dtype=np.uint8).reshape(8, 8))
    seen = {augmented(image).tobytes() for _ in range(50)}
    assert len(seen) > 20
    assert all(augmented(image).size == (8, 8) for _ in range(3))
    rows_of_zeros = [np.array(augmented(image)).sum(1).tolist().count(0) for _ in range(200)]
    assert max(rows_of_zeros) == PAD and min(rows_of_zeros) == 0


def failing(problem):
    def make():
        raise problem

    return Contestant("method", 1, make)


def test_a_way_that_does_not_fit_or_fails_says_so_and_loses_its_own_row_only():
    full = timed(failing(MemoryError()), "cpu", rounds=1, least=0.0)
    broken = timed(failing(RuntimeError("no kernel\nand more")), "cpu", rounds=1, least=0.0)
    assert (full.why, broken.why) == ("out of memory", "failed: no kernel")
    good = Timed(np.array([2.0]), 1.0)
    limit = Limit(np.array([1.0]), np.array([0.5]), 10, 10)
    found = rows({"DataLoader loop": good, "loop": good, "stack": full}, limit, 4, steps=1, megabytes=False)
    assert [row.cells[:4] for row in found if row.what == "stack, R = 4"] == [("stack, R = 4", "", "", "out of memory")]
    assert not rows({"loop": full}, limit, 4, steps=1, megabytes=False)[1:]


def test_aims_are_judged_by_the_fastest_way_of_all():
    slow, quick, fast = (Timed(np.array([seconds]), 1.0) for seconds in (30.0, 4.0, 1.0))
    by_size = {
        1: {"DataLoader loop": slow, "loop": quick, "stack": quick},
        64: {"DataLoader loop": slow, "loop": quick, "stack": fast},
    }
    limit = Limit(np.array([0.5]), np.array([0.25]), 10, 10)
    verdicts = {row.what: row.verdict for row in aims(KINDS["ResNet-20"], limit, by_size)}
    assert verdicts["stack, R = 64 : DataLoader loop"] == "met"
    assert verdicts["stack, R = 64 : loop"] == "missed"
    lenet = {row.what: row for row in aims(KINDS["LeNet-300-100"], limit, by_size)}
    assert lenet["replicas in one program"].verdict == "met"
    assert lenet["Jin et al.'s column (876 runs): an estimate from these steps"].verdict == "missed"


def test_the_column_is_the_sum_of_its_programs():
    assert sum(members * count for (members, _), count in programs().items()) == 12 * (1 + 3 * 24)
    steps = 40 * 469
    # 24 programs of 24, and 25 of 12 (dense and narrower ones).
    assert math.isclose(minutes({12: 1e-3, 24: 2e-3}), (24 * 2e-3 + 25 * 1e-3) * steps / 60)
    assert math.isclose(minutes({1: 1e-3}), (24 * 24 + 25 * 12) * 1e-3 * steps / 60)


def test_layers_count_what_a_step_computes_and_moves():
    x = torch.randn(4, 1, 4, 4)
    work = Layers(LeNet(hidden=(8,), inputs=16), x, members=3, slots=1)
    work.training()
    assert work.flops == 3 * 2 * 4 * (2 * 16 * 8 + 3 * 8 * 10)
    activations = 2 * 4 * 16 + 2 * 4 * 8 + 3 * 4 * 8 + 2 * 4 * 10
    assert work.bytes == 3 * 4 * (activations + 4 * (16 * 8 + 8 * 10))


def test_a_limit_is_measured_with_as_many_members_as_fit(monkeypatch):
    tried = []

    def seconds(work, rounds):
        tried.append(work.members)
        if work.members > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return np.full(rounds, 8.0 / work.members)

    monkeypatch.setattr(limits, "_seconds", seconds)
    x = torch.randn(4, 1, 4, 4)
    found = limits.limit(lambda: LeNet(hidden=(8,), inputs=16), x, members=8, slots=0, dtype=x.dtype, rounds=2)
    assert tried == [8, 8, 4, 4, 2, 2] and found.layers.tolist() == [4.0, 4.0]
    monkeypatch.setattr(limits, "_seconds", lambda work, rounds: (_ for _ in ()).throw(RuntimeError("other")))
    with pytest.raises(RuntimeError, match="other"):
        limits.limit(lambda: LeNet(inputs=16), x, members=1, slots=0, dtype=x.dtype, rounds=1)


def test_layers_are_found_in_residual_networks():
    network = CifarResNet(depth=8, width=8)
    work = Layers(network, torch.randn(2, 3, 8, 8), layout=torch.channels_last, members=2)
    work.training()
    assert convolutional(network) and not convolutional(LeNet(inputs=16))
    assert len(work.calls) == 7 + 2 + 1  # convolutions, projections, the output layer


@pytest.mark.slow
def test_parts_asked_for_apart_stand_on_one_page(tmp_path):
    path = tmp_path / "gpu.md"
    for precision in ("bfloat16", "float32"):
        command = ["--quick", "--only", "LeNet-300-100", "--precision", precision, "--sizes", "1", "2"]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.gpu", *command, "--save", str(path)],
            cwd=Path(__file__).parents[2],
            check=True,
            timeout=300,
        )
    titles = [part.partition("\n")[0] for part in path.read_text().split("\n## ")[1:]]
    assert titles == [
        f"LeNet-300-100, {precision}, {part}"
        for precision in ("float32", "bfloat16")
        for part in ("R = 1", "R = 2", "aims")
    ]
    assert "out of memory" not in path.read_text() and "failed" not in path.read_text()
