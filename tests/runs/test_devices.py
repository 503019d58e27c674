"""Runs on another device than the CPU, as far as a machine without one can tell."""

import time
from types import SimpleNamespace

import pytest
import torch
from specimens import manifest, train
from specimens import recipe as make_recipe

from pretended import pretending
from prunescope.base.errors import UsageError
from prunescope.runs.execution import preparation
from prunescope.runs.execution.checkpointer import load_checkpoint
from prunescope.runs.execution.workbench import Stopped, Workbench
from prunescope.runs.machine import pack_sizes
from prunescope.runs.machine.devices import device_named, one_thread, seconds_worked
from prunescope.runs.machine.engines import EngineSetting
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.training.engines.stacked.recorded import WARM_UP

OF_A_CPU = Kernels(
    sparse="numba" if jit.available() else "none",
    train_below=1.0,
    evaluate_below=1.0,
    least=1,
    channels_last=True,
    fused=True,
    flushed=True,
)


def test_a_run_begun_on_a_cpu_goes_on_elsewhere_by_what_is_there(store, monkeypatch):
    """The checkpoint of a CPU, at step 2 of 9; the manifest tells what the rest was computed with."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    recipe, setting = make_recipe(), EngineSetting(engine="lean", kernels=OF_A_CPU)
    with pytest.raises(Stopped):
        train(Workbench(store, setting=setting), recipe, beat=lambda steps: steps < 2)
    begun = load_checkpoint(store, recipe.id)
    assert begun.setting == setting and 2 <= begun.progress.local < 9
    with pretending() as device:
        bench = Workbench(store, device=device, setting=EngineSetting(engine="loop"), overlap=False)
        train(bench, recipe)
    done = manifest(store.root, recipe)
    assert (done["status"], done["steps"]) == ("done", 9)
    told = EngineSetting.of(done["exec"])
    assert told == EngineSetting(engine="lean", kernels=OF_A_CPU.layout) == setting.on(device)


def test_what_a_setting_needs_depends_on_the_device(monkeypatch):
    by_hand = EngineSetting(engine="lean", kernels=Kernels(sparse="numba", by_hand=True))
    monkeypatch.setattr(jit, "available", lambda: False)
    assert [by_hand.available(device) for device in ("cpu", "cuda")] == [False, True]
    assert by_hand.on("cuda").kernels == Kernels()
    assert by_hand.on("cpu") == by_hand
    assert Workbench(None, device="meta", setting=by_hand).setting == by_hand.on("meta")


def test_a_device_is_named_with_its_number_and_only_one_that_trains(monkeypatch):
    assert device_named("cpu:0") == "cpu"
    with pytest.raises(UsageError, match=r"device 'meta' is not on this machine; it has cpu$"):
        device_named("meta")
    with pytest.raises(UsageError, match="device 'cuda:7' is not on this machine; it has cpu"):
        device_named("cuda:7")
    current = torch.device("cuda:1")  # as torch says of a tensor that was made on "cuda"
    monkeypatch.setattr(torch, "empty", lambda size, device: torch.zeros(size).as_subclass(Told))
    monkeypatch.setattr(Told, "device", current)
    assert device_named("cuda") == "cuda:1"


class Told(torch.Tensor):
    """A tensor that says where it lies."""


def test_a_workbench_makes_its_gpu_the_current_one(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for device in ("cpu", "meta", "cuda", "cuda:1", "cuda:0"):
        Workbench(None, device=device)
    assert chosen == [torch.device("cuda:1"), torch.device("cuda:0")]


@pytest.fixture
def precision():
    """Sets and tells all that torch knows of how float32 is computed, and puts it back."""
    backends = torch.backends
    cudnn, cublas, mkldnn = backends.cudnn, backends.cuda.matmul, backends.mkldnn
    parts = (cudnn.conv, cudnn.rnn, cublas, mkldnn.conv, mkldnn.matmul)

    def told():
        older = (
            backends.cudnn.allow_tf32,
            backends.cuda.matmul.allow_tf32,
            torch.get_float32_matmul_precision(),
        )
        return [*(part.fp32_precision for part in parts), *older]

    with one_thread():
        yield told


@pytest.mark.parametrize("products", ["highest", "high", "medium"])
@pytest.mark.parametrize("convolutions", [False, True])
def test_float32_is_float32_inside_and_what_it_was_afterwards(precision, products, convolutions):
    torch.set_float32_matmul_precision(products)
    torch.backends.cudnn.allow_tf32 = convolutions
    before = precision()
    with one_thread():
        assert precision() == [*["ieee"] * 5, False, False, "highest"]
        with one_thread():
            pass
        assert precision() == [*["ieee"] * 5, False, False, "highest"]
    assert precision() == before


@pytest.mark.parametrize("part", ["everything", "convolutions", "products", "on a CPU"])
def test_float32_is_float32_whatever_torch_was_told_in_the_newer_way(precision, part):
    backends = torch.backends
    named = {"everything": backends, "convolutions": backends.cudnn.conv, "products": backends.cuda.matmul}
    named |= {"on a CPU": backends.mkldnn}
    before = named[part].fp32_precision
    try:
        named[part].fp32_precision = "bf16" if part == "on a CPU" else "tf32"
        with one_thread():
            assert precision() == [*["ieee"] * 5, False, False, "highest"]
    finally:
        named[part].fp32_precision = before


@pytest.mark.parametrize(
    ("seconds", "engine", "last"),
    [
        ({"loop": 4.0, "lean": 3.0, "last": 2.0, "recorded": 1.0}, "recorded", False),
        ({"loop": 4.0, "lean": 3.0, "last": 2.0, "recorded": 9.0}, "lean", True),
        ({"loop": 1.0, "lean": 3.0, "last": 2.0, "recorded": 9.0}, "loop", False),
    ],
)
def test_a_gpu_takes_what_is_cheapest_and_what_was_asked_for(monkeypatch, seconds, engine, last):
    def price(left, bench):
        return seconds["last" if bench.setting.kernels.channels_last else bench.setting.engine]

    def chosen(named):
        return preparation._bench(None, here, named).setting

    def here(*, setting):
        return Workbench(None, device="meta", setting=setting)

    monkeypatch.setattr(preparation, "_work", price)
    assert chosen(None) == EngineSetting(engine=engine, kernels=Kernels(channels_last=last))
    assert chosen("loop") == EngineSetting() and chosen("lean") == EngineSetting(engine="lean")


def test_making_a_recording_is_no_part_of_a_step(monkeypatch):
    """Which is made once, at the fourth step of a call."""
    now = [0.0]

    def advance(replicas, steps):
        now[0] += 0.01 + 0.001 * steps + (0.2 if steps > WARM_UP else 0.0)

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    members = [SimpleNamespace(replica=None, steps_until_due=1000)]
    found = pack_sizes._step(SimpleNamespace(advance=advance), members, "cuda")
    assert found == pytest.approx(0.001)


def test_what_work_costs_does_not_depend_on_what_else_the_machine_does():
    """A process that waits for its turn sleeps."""
    began = seconds_worked("cpu")
    time.sleep(0.3)
    assert seconds_worked("cpu") - began < 0.1
    while seconds_worked("cpu") - began < 0.15:
        pass
