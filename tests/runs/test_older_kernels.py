"""What older versions recorded of products that are gone is read, and their runs are replayed."""

import json

import pytest
import torch
from specimens import manifest, train

from prunescope.base.reference import FINAL, Moment
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.machine.engines import EngineSetting
from prunescope.runs.store.store import Store
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels

OLDER = {
    "dense": "onednn",
    "sparse": "llvm",
    "train_below": 1.0,
    "evaluate_below": 1.0,
    "small_below": 0.5,
    "together_below": 0.18,
    "least": 1,
    "by_hand": True,
    "merged": True,
    "channels_last": False,
    "without_units": True,
    "compiled": True,
    "fused": True,
    "flushed": False,
}
"""A manifest's kernels as version 0.1.0 wrote them before numba's loops."""
EARLY = {"dense": "columns", "sparse": "torch", "train_below": 0.2, "evaluate_below": 0.3, "least": 10_000}


def test_what_is_gone_is_left_out_and_loops_are_numbas():
    assert Kernels.model_validate(OLDER) == Kernels(
        sparse="numba",
        train_below=1.0,
        evaluate_below=1.0,
        least=1,
        by_hand=True,
        merged=True,
        fused=True,
    )
    assert Kernels.model_validate(EARLY) == Kernels(train_below=0.2, evaluate_below=0.3)
    assert Kernels.model_validate({"without_units": True, "dense": "rows"}) == PLAIN
    with pytest.raises(ValueError, match="colums_last"):
        Kernels.model_validate({"colums_last": True})


@pytest.mark.parametrize("recorded", [OLDER, EARLY], ids=["llvm", "early"])
def test_a_run_of_an_older_version_is_replayed_to_rounding(store, recipe, recorded, tmp_path):
    if recorded is OLDER and not jit.available():
        pytest.skip("no numba")
    first = Moment(when="step", at="1it")
    train(Workbench(store), recipe)
    path = (store.root / store.run_folder(recipe.id)) / "manifest.json"
    stored = json.loads(path.read_text())
    stored["exec"] |= {"engine": "lean", "kernels": recorded}
    del stored["digest"]
    stored["schema"] = 1  # as it was before manifests had digests
    path.write_text(json.dumps(stored))
    assert EngineSetting.of(manifest(store.root, recipe)["exec"]).kernels.least == recorded["least"]
    before = store.weights(recipe.id, FINAL.id)
    train(Workbench(store), recipe, moments=(first,))
    after = store.weights(recipe.id, FINAL.id)
    assert all(torch.equal(after.params[name], leaf) for name, leaf in before.params.items())
    other = Store(tmp_path / "plain")
    train(Workbench(other), recipe, moments=(first,))
    expected = other.weights(recipe.id, first.id)
    for name, leaf in store.weights(recipe.id, first.id).params.items():
        torch.testing.assert_close(leaf, expected.params[name], rtol=1e-4, atol=1e-4)
