"""Folders of pictures: listing, decoding, worker processes."""

import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from prunescope.base.errors import DataError, UsageError
from prunescope.tasks.data import library
from prunescope.tasks.data.images import ImageFiles, image_folder

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 1)):
        for name in ("cat", "dog"):
            place = tmp_path / "pets" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return tmp_path / "pets"


def loaded(resize: int = 20, crop: int = 16) -> ImageFiles:
    inputs = image_folder("pets", resize=resize, crop=crop).load().train_x
    assert isinstance(inputs, ImageFiles)
    return replace(inputs, workers=0)


def test_listing_gives_labels_by_sorted_class() -> None:
    arrays = image_folder("pets").load()
    assert arrays.train_y.tolist() == [0, 0, 0, 1, 1, 1] and arrays.test_y.tolist() == [0, 1]
    assert arrays.train_x.shape == (3, 224, 224) and len(arrays.train_x) == 6 and arrays.classes == 2
    assert image_folder("pets").class_names == ("cat", "dog")


def test_the_plain_view_without_resizing_is_the_centre_of_the_picture(pictures: Path) -> None:
    batch = loaded().take(torch.tensor([4, 0]))
    raw = np.asarray(Image.open(pictures / "train" / "dog" / "1.png"))[2:18, 7:23].transpose(2, 0, 1) / 255.0
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (raw - mean[:, None, None]) / std[:, None, None]
    assert batch.shape == (2, 3, 16, 16) and batch.dtype == torch.float32
    np.testing.assert_allclose(batch[0].numpy(), expected, rtol=1e-5, atol=1e-5)


def test_resizing_keeps_the_aspect_ratio() -> None:
    assert loaded(resize=40, crop=33).take(torch.tensor([0])).shape == (1, 3, 33, 33)


def test_worker_processes_decode_the_same_batch_in_the_same_order() -> None:
    inputs = loaded()
    index = torch.tensor([5, 3, 0, 1, 1, 2])
    parallel = replace(inputs, workers=1)
    assert torch.equal(parallel.take(index), inputs.take(index))
    assert "_pool" not in pickle.loads(pickle.dumps(parallel)).__dict__
    parallel._pool.shutdown()


def test_a_changed_listing_stops_an_old_recipe(pictures: Path) -> None:
    source = image_folder("pets")
    (pictures / "train" / "cat" / "0.png").unlink()
    assert image_folder("pets").digest != source.digest
    with pytest.raises(DataError, match="other files"):
        source.load()


def test_a_folder_of_ones_own_is_linked_and_its_id_does_not_depend_on_the_place(
    pictures: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "animals"
    shutil.copytree(pictures, elsewhere)
    source = image_folder(str(elsewhere))
    assert source.load().train_y.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.digest == image_folder("pets").digest
    assert image_folder(str(pictures)) == source, "the same pictures at another place"
    monkeypatch.chdir(elsewhere.parent)
    assert image_folder("./animals") == source
    assert [place for _, place in library.links()] == [elsewhere.resolve()]
    library.remove(source.name.split("/")[1][:5])
    assert elsewhere.exists() and not list(library.links())


def test_folders_that_do_not_fit_are_refused(pictures: Path) -> None:
    with pytest.raises(DataError, match="<class>"):
        image_folder("absent")
    (pictures / "val" / "dog" / "0.png").unlink()
    with pytest.raises(DataError, match="dog"):
        image_folder("pets")


def test_a_view_larger_than_the_resized_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="larger than resize"):
        image_folder("pets", resize=10, crop=11)


def test_a_damaged_picture_is_named(pictures: Path) -> None:
    path = pictures / "train" / "cat" / "0.png"
    inputs = loaded()
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"0\.png cannot be decoded"):
        inputs.take(torch.tensor([0]))


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UsageError, match=r"prunescope\[images\]"):
        image_folder("pets")
