"""Folders of OpenLTH: their last model, its mask, and its network."""

import re

import pytest
import torch
from files import examples

from prunescope.base.errors import UsageError
from prunescope.runs.given.states import states
from prunescope.tasks.model import network

NET = "files:Net"


def masks_of(state):
    return state.run.weights.masks


def lenet_of_open_lth(folder, *, masked=True):
    """A level of OpenLTH, whose saved model still has weights where the mask is 0."""
    torch.manual_seed(0)
    sizes = [("fc_layers.0", 64, 12), ("fc_layers.1", 12, 8), ("fc", 8, 10)]
    model = {}
    for name, inputs, outputs in sizes:
        model |= {f"{name}.weight": torch.randn(outputs, inputs) / inputs**0.5, f"{name}.bias": torch.randn(outputs)}
    folder.mkdir(parents=True)
    torch.save({key: leaf + 1 for key, leaf in model.items()}, folder / "model_ep0_it0.pth")
    torch.save(model, folder / "model_ep9_it0.pth")
    torch.save({key: leaf + 2 for key, leaf in model.items()}, folder / "model_ep10_it5.pth")
    masks = {key: (torch.rand(leaf.shape) < 0.4).int() for key, leaf in model.items() if leaf.ndim > 1}
    if masked:
        torch.save(masks, folder / "mask.pth")
    return {key: leaf + 2 for key, leaf in model.items()}, masks


@pytest.mark.parametrize("place", ["level_3", "level_3/main", "level_3/main/model_ep10_it5.pth"])
def test_open_lth_has_its_last_model_its_mask_and_its_network(data, store, tmp_path, place):
    model, masks = lenet_of_open_lth(tmp_path / "level_3" / "main")
    found = states({"dense": str(tmp_path / place)}, data, store)
    weights_ = found.states["dense"].run.weights
    for number, name in enumerate(("fc1", "fc2")):
        key = f"fc_layers.{number}.weight"
        assert torch.equal(weights_.params[f"{name}.weight"], model[key] * masks[key])
    assert any("model_ep10_it5.pth" in note for note in found.notes) and any("mask.pth" in note for note in found.notes)
    x = examples(40, 2)[0].flatten(1)
    for name in ("fc_layers.0", "fc_layers.1"):
        x = torch.relu(x @ (model[f"{name}.weight"] * masks[f"{name}.weight"]).T + model[f"{name}.bias"])
    expected = x @ (model["fc.weight"] * masks["fc.weight"]).T + model["fc.bias"]
    problem = found.states["dense"].run.task.load(found.states["dense"].run.seeds, data.data.source.load())
    outputs = problem.model.apply(weights_.params, weights_.buffers, examples(40, 2)[0], train=False)[0]
    assert torch.allclose(outputs, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("path", "args", "renames"),
    [
        (
            "CifarResNet",
            {"depth": 8, "width": 4},
            [
                (r"^conv1\.", "conv."),
                (r"^bn1\.", "bn."),
                (r"shortcut\.conv", "shortcut.0"),
                (r"shortcut\.bn", "shortcut.1"),
            ],
        ),
        ("VGG", {"depth": 11}, []),
    ],
)
def test_residual_networks_and_vggs_of_open_lth_keep_every_tensor(store, tmp_path, path, args, renames):
    from prunescope.runs.given.open_lth import load

    ours = network(f"prunescope.tasks.nets:{path}", **args).build()
    theirs = {}
    places = iter(range(100))
    for key, leaf in ours.state_dict().items():
        for pattern, name in renames:
            key = re.sub(pattern, name, key)
        key = re.sub(r"^layer(\d)\.(\d)", lambda at: f"blocks.{int(at[1]) - 1 + int(at[2])}", key)
        if path == "VGG" and (at := re.match(r"(conv|bn)(\d+)\.(.*)", key)):  # pooling takes places among the layers
            key = f"layers.{int(at[2]) - 1 + int(at[2]) // 2}.{at[1]}.{at[3]}"
        theirs[key] = leaf + next(places) / 7 if leaf.is_floating_point() else leaf
    torch.save(theirs, tmp_path / "model_ep1_it0.pth")
    found, named = load(tmp_path, "it", store).own
    assert {key: list(leaf.shape) for key, leaf in named.items()} == {
        key: list(leaf.shape) for key, leaf in found.build().state_dict().items()
    }
    assert [leaf.flatten()[0] for leaf in named.values()] == [leaf.flatten()[0] for leaf in theirs.values()]


def test_masks_of_other_tensors_are_refused(data, store, tmp_path):
    lenet_of_open_lth(tmp_path / "main")
    torch.save({"fc9.weight": torch.ones(2, 2)}, tmp_path / "main" / "mask.pth")
    with pytest.raises(UsageError, match=r"mask\.pth has masks of fc9\.weight, which model_ep10_it5\.pth has not"):
        states({"dense": str(tmp_path)}, data, store)
