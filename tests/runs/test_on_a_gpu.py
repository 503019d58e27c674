"""Studies on a GPU, where there is one: the same as on a CPU to rounding, and to the bit as on the same GPU."""

import pytest
import torch
from specimens import contents, manifest, replicas, risk, study, train
from specimens import recipe as make_recipe

from prunescope.base.streams import replicate
from prunescope.runs.execution.checkpointer import load_checkpoint
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.workbench import Stopped, Workbench
from prunescope.runs.machine.devices import device_named
from prunescope.runs.machine.engines import EngineSetting
from prunescope.runs.store.plan import plan
from prunescope.runs.store.store import Store
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.task import Data

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
ROOM = int(2.2 * 2**30)
"""Bytes that a test leaves to its runs: enough for two of them, not for eight."""


@pytest.fixture
def gpu():
    return device_named("cuda")


def losses(store, runs, **how):
    ensure([risk(run) for run in runs], store=store, workers=1, **how)
    return [float(Store(store).reading(risk(run).id)["loss"]) for run in runs]


def test_a_study_that_is_stopped_goes_on_to_the_same_bits(tmp_path, gpu):
    """Chains with weight rewinding, holds, noise, BatchNorm and probes."""
    how = {"workers": 1, "device": gpu, "engine": "lean"}
    ensure(study(), store=tmp_path / "whole", **how)
    stopped = Store(tmp_path / "stopped")
    bench = Workbench(stopped, device=gpu, setting=EngineSetting(engine="lean"), checkpoint_seconds=0.0)
    for job in list(plan(study(), stopped).jobs.values()):
        if not job.recipe.references:
            with pytest.raises(Stopped):
                train(bench, job.recipe, moments=job.moments, probes=job.probes, beat=lambda steps: steps < 9)
            assert load_checkpoint(stopped, job.recipe.id).progress.local >= 9
    ensure(study(), store=stopped, **how)
    assert contents(stopped.root) == contents(tmp_path / "whole")


def test_it_computes_what_a_cpu_does_by_itself_and_in_one_program(tmp_path, gpu):
    runs = replicas(4)
    expected = losses(tmp_path / "cpu", runs, engine="loop")
    assert losses(tmp_path / "alone", runs, device=gpu, engine="loop") == pytest.approx(expected, rel=1e-3)
    assert losses(tmp_path / "pack", runs, device=gpu, stack=4) == pytest.approx(expected, rel=1e-3)
    done = [manifest(tmp_path / "pack", run)["exec"] for run in runs]
    assert all(facts["stack"] == 4 and facts["device"] == torch.cuda.get_device_name() for facts in done)


def test_crops_are_those_of_a_cpu(tmp_path, gpu):
    source = synthetic(shape=(1, 8, 8), train=96, test=64)
    crop = CropFlip(pad=2, fill=(0.5,))
    base = make_recipe(inputs=64)
    task = base.task.replace(data=Data(source=source, augmentation=(crop,)))
    runs = [base.replace(task=task, seeds=replicate(k)) for k in range(3)]
    expected = losses(tmp_path / "cpu", runs, engine="loop")
    assert losses(tmp_path / "alone", runs, device=gpu, engine="lean") == pytest.approx(expected, rel=1e-3)
    assert losses(tmp_path / "pack", runs, device=gpu, stack=3) == pytest.approx(expected, rel=1e-3)


def test_bfloat16_is_near_float32_and_another_thing(tmp_path, gpu):
    runs = replicas(2)
    low = [run.replace(precision="bfloat16") for run in runs]
    expected = losses(tmp_path / "float32", runs, device=gpu, engine="lean")
    found = losses(tmp_path / "alone", low, device=gpu, engine="lean")
    assert found == pytest.approx(expected, rel=0.05) and found != expected
    assert losses(tmp_path / "pack", low, device=gpu, stack=2) == pytest.approx(expected, rel=0.05)


def test_a_run_begun_on_a_cpu_goes_on_there(tmp_path, gpu):
    run, store = make_recipe(), Store(tmp_path / "moved")
    kernels = Kernels(sparse="numba", train_below=1.0, least=1, channels_last=True, fused=True, flushed=True)
    with pytest.raises(Stopped):
        train(
            Workbench(store, setting=EngineSetting(engine="lean", kernels=kernels)), run, beat=lambda steps: steps < 2
        )
    [found] = losses(store.root, [run], device=gpu, engine="loop")
    assert [found] == pytest.approx(losses(tmp_path / "cpu", [run], engine="loop"), rel=1e-3)
    done = manifest(store.root, run)["exec"]
    assert done["engine"] == "lean" and Kernels(**done["kernels"]) == kernels.layout


def test_too_little_memory_splits_the_program_and_loses_nothing(tmp_path, gpu):
    """Networks of 17 million weights: a member takes some hundred megabytes."""
    run = make_recipe(hidden=(4096, 4096), length="6ep")
    runs = [run.replace(seeds=replicate(k)) for k in range(8)]
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(gpu).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + ROOM) / whole))
    try:
        found = losses(tmp_path / "pack", runs, device=gpu, engine="loop", stack=8)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert all(manifest(tmp_path / "pack", run)["exec"]["stack"] < 8 for run in runs)
    assert found == pytest.approx(losses(tmp_path / "alone", runs, device=gpu, engine="loop"), rel=1e-3)
