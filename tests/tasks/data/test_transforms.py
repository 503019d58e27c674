"""Transforms by import path: keyed draws, no state left behind, and the same in a stack."""

import importlib.util
import random

import numpy as np
import pytest
import torch

from prunescope.base.errors import UsageError
from prunescope.tasks.data.transforms import Transform, Transforms


class Shifted:
    """Draws from all three generators, as transforms of different packages do."""

    def __init__(self, most=1.0):
        self.most = most

    def __call__(self, image):
        return image + self.most * (torch.rand(1) + random.random() + np.random.rand())  # noqa: NPY002


class Odd:
    def __init__(self, returned):
        self.returned = returned

    def __call__(self, image):
        if self.returned == "list":
            return image.tolist()
        return image[:, : 1 + int(torch.randint(4, ()))]


def own(name, **args):
    return Transform(path=f"{__name__}:{name}", args=args)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


if importlib.util.find_spec("torchvision") and not hasattr(torch.ops.torchvision, "nms"):
    # A build for CUDA lacks its compiled operators beside a torch for the CPU; transforms of images need none of them.
    OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

X = torch.randn(6, 3, 8, 8, generator=seeded(1))
SHIFTED = Transforms(transforms=(own("Shifted", most=2.0), own("Shifted")))


def test_draws_are_keyed_and_each_image_has_its_own():
    one, same, other = SHIFTED(X, seeded(0)), SHIFTED(X, seeded(0)), SHIFTED(X, seeded(1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    shifts = (one - X).flatten(1)
    torch.testing.assert_close(shifts, shifts[:, :1].expand_as(shifts), rtol=1e-4, atol=1e-4)
    assert len({round(float(value), 4) for value in shifts[:, 0]}) == len(X)


def test_no_state_is_left_behind():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    SHIFTED(X, seeded(0))
    assert torch.equal(before[0], torch.get_rng_state()) and random.getstate() == before[2]
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (own("Odd", returned="list"), "Odd returned list"),
        (own("Odd", returned="cut"), "different shapes"),
        (own("Shifted", least=1.0), "refuses its arguments.*least"),
        (Transform(path="torchvision.transforms.v2:Nothing"), "cannot be imported"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_transform_of_images_is_refused(transform, message):
    with pytest.raises(UsageError, match=message):
        Transforms(transforms=(transform,))(X, seeded(0))


def test_those_of_torchvision():
    pytest.importorskip("torchvision", exc_type=ImportError)
    from torchvision.transforms import v2

    mine = Transforms(
        transforms=(
            Transform(path="torchvision.transforms.v2:RandomHorizontalFlip", args={"p": 0.5}),
            Transform(path="torchvision.transforms.v2:RandomCrop", args={"size": 8, "padding": 2}),
        )
    )
    changed = mine(X, seeded(0))
    seed = int(torch.randint(2**31, (), generator=seeded(0)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        flip, crop = v2.RandomHorizontalFlip(p=0.5), v2.RandomCrop(size=8, padding=2)
        expected = torch.stack([crop(flip(image)) for image in X])
    assert torch.equal(changed, expected) and not torch.equal(changed, X)
