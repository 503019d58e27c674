"""Engines and interventions on another device than the CPU, which is pretended: they keep to it, and change no bits."""

import pytest
from test_engines import OPTIMIZERS, OWN_PRODUCTS, SPARSE, by_lean, in_a_stack, named
from test_interventions import EVERY, assert_same, program_for

from pretended import pretending
from prunescope.runs.machine.devices import progress_on
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.training.engines.engine import Loop
from prunescope.training.interventions import At, Prune
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.run import train

PROBES = (Curve(split="test", every="2it"), AroundEvents())


def by_loop(lab, program):
    return train(program, lab.begin(program, sparsity=0.3), engine=Loop(), probes=PROBES)


def by(lab, way, device, program):
    """The end of the program, with what of the kernels of a CPU there is on the device."""
    if way == "lean":
        return by_lean(lab, program, OWN_PRODUCTS.on(device), probes=PROBES)
    return in_a_stack(lab, [program, program], SPARSE.on(device), way, probes=PROBES)[0]


@pytest.mark.parametrize("way", ["lean", "layers", pytest.param("vmap", marks=pytest.mark.slow)])
def test_every_engine(lab, way):
    problem = lab.problem(lab.undrawn.model.network, augmentation=(CropFlip(pad=1, fill=(0.0,)),))
    here = lab.program(Prune(when=At(at="2it")), problem=problem, optimizer=OPTIMIZERS[4], steps=3)
    with pretending() as device:
        end = progress_on(by(lab, way, device, lab.on(device, here)), "cpu")
    assert_same(end, by(lab, way, device, here))


@pytest.mark.slow
@pytest.mark.parametrize("intervention", EVERY, ids=named)
def test_every_intervention(lab, intervention):
    here = program_for(lab, intervention)
    with pretending() as device:
        end = progress_on(by_loop(lab, lab.on(device, here)), "cpu")
    assert_same(end, by_loop(lab, here))
