"""What pruning does to a network of one's own, from an import path or from a recipe."""

import pytest
import torch

from prunescope.base.errors import UsageError
from prunescope.papers.jin2022 import yours
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store
from prunescope.studies.publish import nodes_of
from prunescope.tasks.nets import LeNet
from prunescope.tasks.task import Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant


def recipe() -> Recipe:
    """A classifier of vectors, such as no setting can name."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 5, generator=generator), torch.arange(60) % 3
    task = Task.from_module(lambda: LeNet(inputs=5, classes=3, hidden=(8,)), train=(x, y), test=(x, y))
    return Recipe(task=task, optimizer=SGD(), schedule=Constant(lr=0.1), batch=20, length="2ep")


def test_a_recipe_of_ones_own_is_followed_to_every_figure_and_verdict(tmp_path):
    study = yours.follow(recipe(), levels=2, noises=(0.0, 0.3), replicates=2, ensemble=2, early="1ep", groups=5)
    results = ensure(nodes_of(study), store=Store(tmp_path), workers=1)
    tables = {figure.name: figure.table(results) for figure in study.figures}
    assert {"error", "groups-0", "groups-30", "classes", "given-up-0", "given-up-30", "fit-30"} == set(tables)
    assert all(tables.values())
    first = tables["given-up-30"]
    assert [row["rank"] for row in first] == list(range(1, 61))
    rises = [row["loss_rise"] for row in first]
    assert rises == sorted(rises, reverse=True)
    assert any(row["marked"] for row in first)
    for claim in study.claims:
        assert claim.basis == "proposed"
        assert len(claim.quantity(results)) == 2


def test_the_smoke_scale_shows_images():
    study = yours.build(yours.SCALES["smoke"], "smoke")
    assert "given-up-images-0" in {figure.name for figure in study.figures}


@pytest.mark.parametrize("noises", [(), (0.1,), (0.0, 0.2, 0.1), (0.0, 0.0)])
def test_noise_levels_that_do_not_ascend_from_0(noises):
    with pytest.raises(UsageError, match="ascend from 0"):
        yours.follow(recipe(), noises=noises)


def test_more_groups_than_examples():
    with pytest.raises(UsageError, match="groups=61 of 60"):
        yours.follow(recipe(), groups=61)
