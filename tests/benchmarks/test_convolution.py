"""The convolutional networks that are timed are the papers', and a stack's methods are what their rows say."""

import pytest
from benchmarks.convolution import CASES
from benchmarks.convolutional_stack import METHODS, NETS

from prunescope.papers.bartoldson.scales import batch_for
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.store.store import Store
from prunescope.training.engines.stack import how
from prunescope.training.optim import SGD, Adam
from prunescope.training.run import Member

SIZES = {"ResNet-20": 272_474, "VGG11": 9_231_114, "ResNet-18 at batch 16": 11_173_962}


@pytest.mark.parametrize("name", SIZES)
def test_a_network_has_the_parameters_of_its_name(name):
    network = CASES[name].recipe(full=True).task.network.build()
    assert sum(leaf.numel() for leaf in network.parameters()) == SIZES[name]


def test_conv4_has_the_batches_of_its_study():
    recipe = CASES["Conv4 at batch 13"].recipe(full=True)
    assert (recipe.batch, recipe.optimizer) == (batch_for(5120), Adam())
    assert CASES["ResNet-20"].recipe(full=True).optimizer == SGD(momentum=0.9, weight_decay=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NETS)
def test_a_stack_takes_the_way_that_its_row_says(tmp_path, name, method):
    bench, recipe = Workbench(Store(tmp_path)), NETS[name].recipe(full=False)
    program = bench.program(recipe)
    assert how(Member(program, bench.start(recipe, program)).replica, method).name == method
