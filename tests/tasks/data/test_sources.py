"""Sources that need no files: digits, blobs, the user's tensors; and what all sources share."""

import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from prunescope.base.errors import DataError, UsageError
from prunescope.base.value import array_digest
from prunescope.tasks.data.digits import digits
from prunescope.tasks.data.groups import grouping
from prunescope.tasks.data.library import holdings
from prunescope.tasks.data.source import Content, InMemory, Normalization
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.data.tensors import Tensors, own


def test_digits_have_the_published_counts_of_each_class() -> None:
    arrays = digits().load()
    everything = torch.cat([arrays.train_y, arrays.test_y])
    assert torch.bincount(everything).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (len(arrays.train_x), len(arrays.test_x), arrays.classes) == (1297, 500, 10)


@pytest.mark.parametrize("train", [10, 300, 1297, 1787])
def test_digits_are_stratified_at_every_cut(train: int) -> None:
    arrays = digits(train).load()
    share = torch.bincount(torch.cat([arrays.train_y, arrays.test_y])) / 1797
    counts = torch.bincount(arrays.train_y, minlength=10)
    assert ((counts - train * share).abs() <= 1.01).all()


def test_digits_are_normalized_counts_of_0_to_16() -> None:
    x = digits().load().train_x.take(torch.arange(1297)).double()
    raw = (x * 0.3760 + 0.3050) * 16
    torch.testing.assert_close(raw, raw.round(), atol=1e-4, rtol=0)
    assert (int(raw.round().min()), int(raw.round().max())) == (0, 16)
    assert abs(float(x.mean())) < 1e-3 and abs(float(x.std()) - 1) < 1e-3


def test_digest_depends_on_the_cut_and_id_on_the_normalization() -> None:
    other = Normalization(mean=(0.0,), std=(1.0,))
    assert digits().digest != digits(1000).digest
    assert digits().digest == digits(normalization=other).digest
    assert digits().id != digits(normalization=other).id


def test_a_source_with_another_digest_does_not_load() -> None:
    with pytest.raises(DataError, match="digest"):
        digits().replace(digest="0" * 32).load()
    with pytest.raises(UsageError):
        digits().replace(digest="short")


@pytest.mark.parametrize("train", [9, 1788])
def test_digits_refuse_a_split_without_all_classes(train: int) -> None:
    with pytest.raises(UsageError):
        digits(train)


def test_normalization_agrees_with_a_loop_over_channels() -> None:
    x = torch.rand(5, 3, 4, 2, generator=torch.Generator().manual_seed(0))
    rule = Normalization(mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 2.0))
    expected = np.stack([(x[:, c].double().numpy() - rule.mean[c]) / rule.std[c] for c in range(3)], axis=1)
    np.testing.assert_allclose(rule(x.clone()).numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rule(torch.zeros(1, 3, 1)).flatten().numpy(), rule.zero, rtol=1e-6)


def test_normalization_refuses_what_does_not_fit() -> None:
    with pytest.raises(UsageError, match="not positive"):
        Normalization(mean=(0.0,), std=(0.0,))
    with pytest.raises(UsageError, match="one entry a channel"):
        Normalization(mean=(0.0, 0.0), std=(1.0,))
    with pytest.raises(UsageError, match="channels"):
        Normalization(mean=(0.0,), std=(1.0,))(torch.zeros(2, 3, 4, 4))


def test_in_memory_takes_by_index() -> None:
    inputs = InMemory(torch.arange(12.0).view(4, 3))
    assert inputs.shape == (3,) and len(inputs) == 4
    assert inputs.take(torch.tensor([2, 0, 2])).tolist() == [[6, 7, 8], [0, 1, 2], [6, 7, 8]]


def test_content_digest_sees_values_shapes_and_order() -> None:
    x, y = torch.zeros(2, 3), torch.tensor([0, 1])
    base = Content(x, y, x, y).digest
    assert Content(x.clone(), y, x, y).digest == base
    assert Content(x + 1, y, x, y).digest != base
    assert Content(x.view(2, 3, 1), y, x, y).digest != base
    assert Content(x, y.flip(0), x, y).digest != Content(x, y, x, y.flip(0)).digest


def test_blobs_lie_around_centres_of_the_given_length() -> None:
    source = synthetic(classes=3, shape=(1, 5, 4), train=3000, test=30, separation=7.0, seed=1)
    arrays = source.load()
    x = arrays.train_x.take(torch.arange(3000)).view(3000, 20)
    for label in range(3):
        members = x[arrays.train_y == label]
        assert abs(float(members.mean(0).norm()) - 7.0) < 0.3
        assert abs(float(members.std(0).mean()) - 1.0) < 0.05
    assert arrays.train_x.shape == (1, 5, 4) and arrays.classes == 3


def test_blobs_depend_on_the_seed_only() -> None:
    assert synthetic(seed=4) == synthetic(seed=4)
    assert synthetic(seed=4).digest != synthetic(seed=5).digest
    arrays = synthetic(train=8, test=8).load()
    assert not torch.equal(arrays.train_x.take(torch.arange(8)), arrays.test_x.take(torch.arange(8)))


def tensors(train: object, test: object, **more: object) -> Tensors:
    return own(train, test, **more).source


def user_tensors() -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    x = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0))
    return (x, torch.tensor([0, 1, 2, 0, 1, 2])), (x[:2] + 1, torch.tensor([1, 0]))


def test_tensors_come_back_as_given_even_from_a_copy_of_the_value() -> None:
    train, test = user_tensors()
    source = pickle.loads(pickle.dumps(tensors(train, test)))
    arrays = source.load()
    assert torch.equal(arrays.train_x.take(torch.arange(6)), train[0]) and torch.equal(arrays.train_y, train[1])
    assert torch.equal(arrays.test_x.take(torch.arange(2)), test[0]) and torch.equal(arrays.test_y, test[1])
    assert arrays.classes == 3


def test_tensors_are_written_once_and_named_by_content(data_folder: Path) -> None:
    train, test = user_tensors()
    first, second = tensors(train, test), tensors((train[0].double(), train[1].int()), test)
    assert first == second
    assert [path.name for path in (data_folder / "tensors").iterdir()] == [f"{first.digest}.json"]
    tensors((train[0], 2 - train[1]), test)
    kept = [path.name for path in (data_folder / "arrays").iterdir()]
    assert len(kept) == 5, "other labels are one array more"


def test_a_folder_that_cannot_be_written_gives_what_is_there_and_names_itself(data_folder, monkeypatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    x, y = torch.randn(6, 2), torch.arange(6) % 2
    source = own((x, y), (x, y)).source
    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr("prunescope.tasks.data.library.write_whole", refuse)
    assert own((x, y), (x, y)).source == source and len(source.load().test_y) == 6
    with pytest.raises(DataError, match=rf"Read-only .*set PRUNESCOPE_DATA to another folder, now {data_folder}"):
        own((x + 1, y), (x, y))


def test_tensors_that_an_older_version_wrote_are_read(data_folder: Path) -> None:
    train, test = user_tensors()
    content = dict(zip(("train_x", "train_y", "test_x", "test_y"), (*train, *test), strict=True))
    digest = array_digest(*content.values())
    (data_folder / "tensors").mkdir(parents=True)
    np.savez(data_folder / "tensors" / f"{digest}.npz", **{name: leaf.numpy() for name, leaf in content.items()})
    source = Tensors(digest=digest, train=6, test=2, classes=3)
    assert torch.equal(source.load().train_x.take(torch.arange(6)), train[0])
    assert tensors(train, test) == source and not (data_folder / "arrays").exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    (path / "in it").mkdir(parents=True)


@pytest.mark.parametrize("damage", [cut, flip, empty, replace_by_a_folder, Path.unlink])
@pytest.mark.parametrize("file", ["tensors/*.json", "arrays/*.npy"])
def test_damaged_tensors_are_named_and_whole_once_they_are_given_again(
    data_folder: Path, file: str, damage: Callable[[Path], None]
) -> None:
    source = tensors(*user_tensors())
    before = source.load().train_x.take(torch.arange(3)).clone()
    damage(next(data_folder.glob(file)))
    with pytest.raises(DataError, match="give the same ones again"):
        source.load()
    assert [row.digest for row in holdings() if row.digest == source.digest] or damage is Path.unlink
    tensors(*user_tensors())
    assert torch.equal(source.load().train_x.take(torch.arange(3)), before)


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_groups_of_damaged_codes_are_not_read(data_folder: Path, damage: Callable[[Path], None]) -> None:
    train, test = user_tensors()
    sites = ["a"] * (len(train[0]) - 1) + ["b"]
    source = own(train, test, groups={"site": {"train": sites}}).source
    codes = array_digest(np.array([site == "b" for site in sites], dtype=np.int64))
    damage(data_folder / "arrays" / f"{codes}.npy")
    with pytest.raises(DataError, match="give the same ones again"):
        grouping(source.digest, "site")


def test_tensors_that_do_not_fit_are_refused() -> None:
    (x, y), test = user_tensors()
    with pytest.raises(UsageError, match="one of each an example"):
        tensors((x, y[:-1]), test)
    with pytest.raises(UsageError, match=r"from 0; .* map the labels: class_names="):
        tensors((x, y - 1), test)
    with pytest.raises(UsageError, match="one shape"):
        tensors((x, y), (test[0][:, :1], test[1]))
    with pytest.raises(UsageError, match="at least 3"):
        tensors((x, y), test, classes=2)
    with pytest.raises(UsageError, match="infinite"):
        tensors((x / 0, y), test)
