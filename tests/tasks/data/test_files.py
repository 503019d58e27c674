"""IDX and CIFAR files: finding, reading, refusing; downloads without a network."""

import gzip
import hashlib
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pooch
import pytest
import torch

from prunescope.base.errors import DataError, UsageError
from prunescope.studies.own import SOURCES
from prunescope.tasks.data import files
from prunescope.tasks.data.cifar import CIFAR10, cifar10, cifar100, unpickle
from prunescope.tasks.data.idx import fashion_mnist, mnist
from prunescope.tasks.data.source import InMemory
from prunescope.tasks.data.status import status

Bytes = npt.NDArray[np.uint8]
SPLITS = (("train", 7), ("t10k", 3))


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def idx_bytes(array: Bytes) -> bytes:
    return struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_arrays() -> dict[str, Bytes]:
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in SPLITS:
        arrays[f"{split}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{split}-labels-idx1-ubyte"] = rng.integers(0, 10, count, dtype=np.uint8)
    return arrays


def write_idx(place: Path, *, compressed: bool = False) -> None:
    place.mkdir(parents=True)
    for name, array in idx_arrays().items():
        data = idx_bytes(array)
        (place / (f"{name}.gz" if compressed else name)).write_bytes(gzip.compress(data) if compressed else data)


def cifar_batch(count: int, classes: int, key: bytes, seed: int) -> dict[bytes, Any]:
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
    return {b"data": data, key: rng.integers(0, classes, count).tolist(), b"batch_label": b"a batch"}


def write_cifar10(place: Path, *, protocol: int = 2) -> None:
    place.mkdir(parents=True)
    for seed, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        (place / name).write_bytes(pickle.dumps(cifar_batch(4, 10, b"labels", seed), protocol=protocol))


def values(inputs: Any) -> torch.Tensor:
    assert isinstance(inputs, InMemory)
    return inputs.tensor


def test_mnist_reads_images_and_labels(data_folder: Path) -> None:
    write_idx(data_folder / "mnist")
    arrays, expected = mnist().load(), idx_arrays()
    raw = expected["train-images-idx3-ubyte"].astype(np.float64)[:, None]
    np.testing.assert_allclose(values(arrays.train_x).numpy(), (raw / 255 - 0.1307) / 0.3081, rtol=1e-5, atol=1e-6)
    assert arrays.test_y.tolist() == expected["t10k-labels-idx1-ubyte"].tolist()
    assert (arrays.train_x.shape, len(arrays.test_x), arrays.classes) == ((1, 28, 28), 3, 10)


def test_digest_ignores_compression_and_place(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(data_folder / "mnist")
    plain = mnist()
    for number, (place, compressed) in enumerate((("mnist", True), (".", True), (".", False))):
        monkeypatch.setenv("PRUNESCOPE_DATA", str(data_folder / str(number)))
        write_idx(data_folder / str(number) / place, compressed=compressed)
        assert mnist() == plain
        plain.load()


def test_a_file_that_changes_changes_the_digest_and_stops_an_old_recipe(data_folder: Path) -> None:
    write_idx(data_folder / "mnist")
    before = mnist()
    path = data_folder / "mnist" / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(np.array([1, 1, 1], np.uint8)))
    os.utime(path, ns=(1, 1))
    assert mnist().digest != before.digest
    with pytest.raises(DataError, match=before.digest):
        before.load()


def test_fashion_mnist_is_not_mistaken_for_mnist_beside_other_data(data_folder: Path) -> None:
    write_idx(data_folder)
    with pytest.raises(DataError, match="fashion-mnist"):
        fashion_mnist()


def test_a_missing_file_is_named_with_places_addresses_and_command(data_folder: Path) -> None:
    write_idx(data_folder / "mnist")
    (data_folder / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as caught:
        mnist()
    message = str(caught.value)
    assert "lacks t10k-labels-idx1-ubyte." in message and "prunescope data get mnist" in message
    assert str(data_folder / "mnist") in message and "ossci-datasets" in message


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-5],
        lambda data: data + b"\0",
        lambda data: data[:7],
        lambda data: b"",
        lambda data: b"<html>" + data,
        lambda data: data[:4] + struct.pack(">i", -7) + data[8:],
        lambda data: idx_bytes(np.zeros((6, 28, 28), np.uint8)),
        lambda data: idx_bytes(np.zeros(7, np.uint8)),
    ],
)
def test_a_damaged_idx_file_is_named_with_the_fix(data_folder: Path, damage: Callable[[bytes], bytes]) -> None:
    write_idx(data_folder / "mnist")
    path = data_folder / "mnist" / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        mnist()
    assert str(path) in str(caught.value) and "prunescope data get mnist" in str(caught.value)


def test_a_truncated_gzip_file_is_named_with_the_fix(data_folder: Path) -> None:
    write_idx(data_folder / "mnist", compressed=True)
    path = data_folder / "mnist" / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for damaged in (whole[:-20], b"not gzip", whole[:200] + bytes(20) + whole[220:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz cannot be read.*prunescope data get mnist"):
            mnist()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_cifar10_reads_batches_in_order(data_folder: Path, protocol: int) -> None:
    write_cifar10(data_folder / "cifar-10-batches-py", protocol=protocol)
    arrays = cifar10().load()
    raw = np.concatenate([cifar_batch(4, 10, b"labels", seed)[b"data"] for seed in range(5)])
    labels = [label for seed in range(5) for label in cifar_batch(4, 10, b"labels", seed)[b"labels"]]
    for channel in range(3):
        plane = raw[:, 1024 * channel : 1024 * (channel + 1)].reshape(-1, 32, 32) / 255.0
        expected = (plane - CIFAR10.mean[channel]) / CIFAR10.std[channel]
        np.testing.assert_allclose(values(arrays.train_x)[:, channel].numpy(), expected, rtol=1e-5, atol=1e-5)
    assert arrays.train_y.tolist() == labels and len(arrays.test_x) == 4


def test_cifar100_reads_fine_labels(data_folder: Path) -> None:
    place = data_folder / "cifar100"
    place.mkdir(parents=True)
    for seed, name in enumerate(("train", "test")):
        batch = cifar_batch(5, 100, b"fine_labels", seed) | {b"coarse_labels": [0] * 5}
        (place / name).write_bytes(pickle.dumps(batch))
    arrays = cifar100().load()
    assert arrays.train_y.tolist() == cifar_batch(5, 100, b"fine_labels", 0)[b"fine_labels"]
    assert arrays.classes == 100


class Malicious:
    """Unpickled without care, it would make a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_a_malicious_pickle_is_refused_and_does_nothing(data_folder: Path) -> None:
    write_cifar10(data_folder / "cifar10")
    trap = data_folder / "trap"
    (data_folder / "cifar10" / "data_batch_3").write_bytes(pickle.dumps({b"data": Malicious(str(trap))}))
    with pytest.raises(DataError, match=r"data_batch_3.*mkdir.*only numpy arrays"):
        cifar10()
    assert not trap.exists()


def test_a_forged_array_type_is_refused() -> None:
    """numpy itself would follow a pointer of the file's choice: a type of objects whose flags say that it has none."""
    state = [*np.dtype([("a", "O")]).__reduce__()[2][:-1], 0]

    class Type:
        def __reduce__(self) -> tuple[object, ...]:
            return np.dtype, ("V8", False, True), tuple(state)

    class Array:
        def __reduce__(self) -> tuple[object, ...]:
            rebuild = np.empty(0, np.uint8).__reduce__()[0]
            return rebuild, (np.ndarray, (0,), b"b"), (1, (1,), Type(), False, b"A" * 8)

    with pytest.raises(pickle.UnpicklingError, match="array of something else than bytes"):
        unpickle(pickle.dumps({b"data": [Array()]}))


@pytest.mark.parametrize("function", [eval, getattr, np.load, np.frombuffer, pickle.loads])
def test_no_function_can_be_reached_by_unpickling(function: Callable[..., Any]) -> None:
    with pytest.raises(pickle.UnpicklingError, match="only numpy arrays"):
        unpickle(pickle.dumps(function))


@pytest.mark.parametrize(
    "batch",
    [
        b"not a pickle",
        pickle.dumps(cifar_batch(4, 10, b"labels", 0))[:-200],
        pickle.dumps([1, 2]),
        pickle.dumps({b"data": np.zeros((4, 3072), np.uint8)}),
        pickle.dumps({b"data": np.zeros((4, 3071), np.uint8), b"labels": [0] * 4}),
        pickle.dumps({b"data": np.zeros((4, 3072), np.float32), b"labels": [0] * 4}),
        pickle.dumps({b"data": np.zeros((4, 3072), np.uint8), b"labels": [0] * 3}),
        pickle.dumps({b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 0, 0, 10]}),
    ],
)
def test_a_damaged_batch_is_named_with_the_fix(data_folder: Path, batch: bytes) -> None:
    write_cifar10(data_folder / "cifar10")
    path = data_folder / "cifar10" / "test_batch"
    path.write_bytes(batch)
    with pytest.raises(DataError) as caught:
        cifar10()
    assert str(path) in str(caught.value) and "prunescope data get cifar10" in str(caught.value)


def test_status_tells_missing_variant_and_corrupt_apart(data_folder: Path) -> None:
    assert status("mnist").state == "missing"
    assert "prunescope data get mnist" in (status("mnist").problem or "")
    write_idx(data_folder / "mnist")
    found = status("mnist")
    assert (found.state, found.problem) == ("present", None) and not any(file.published for file in found.files)
    assert found.files[1].bytes == 8 + 7 and found.files[1].path == data_folder / "mnist" / "train-labels-idx1-ubyte"
    write_idx(data_folder / "fashion-mnist", compressed=True)
    assert {file.published for file in status("fashion-mnist").files} == {None}
    (data_folder / "mnist" / "train-labels-idx1-ubyte").write_bytes(b"junk")
    assert status("mnist").state == "corrupt" and "train-labels" in (status("mnist").problem or "")
    with pytest.raises(UsageError, match="mnist, fashion-mnist"):
        status("svhn")


def test_status_knows_published_content_under_any_wrapper(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(data_folder / "mnist", compressed=True)
    plain = {name: hashlib.md5(idx_bytes(array)).hexdigest() for name, array in idx_arrays().items()}
    row = files.DATASETS["mnist"]
    published = files.Dataset(row.title, row.places, plain, row.downloads)
    monkeypatch.setattr(files, "DATASETS", {"mnist": published})
    assert all(file.published for file in status("mnist").files)


def test_the_folder_is_the_users_cache_unless_named(monkeypatch: pytest.MonkeyPatch, data_folder: Path) -> None:
    assert files.folder() == data_folder
    monkeypatch.delenv("PRUNESCOPE_DATA")
    assert files.folder() == Path(pooch.os_cache("prunescope")) / "data"


def test_download_without_a_network_lists_files_places_and_addresses(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(url: str, **_: Any) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(DataError) as caught:
        files.download("fashion-mnist")
    message = str(caught.value)
    for part in (
        "no route",
        "zalandoresearch",
        "amazonaws",
        "t10k-labels-idx1-ubyte",
        str(data_folder / "fashion-mnist"),
    ):
        assert part in message


def test_download_unpacks_an_archive_and_reports_progress(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar10(tmp_path / "published" / "cifar-10-batches-py")
    archive = tmp_path / "published.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "published" / "cifar-10-batches-py", "cifar-10-batches-py")

    def served(url: str, *, known_hash: str, fname: str, path: Path, downloader: Any) -> str:
        assert (fname, known_hash) == ("cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a")
        bar = downloader.progressbar
        bar.total = 100
        bar.update(60)
        bar.reset()
        bar.update(100)
        path.mkdir(parents=True)
        return str((path / fname).write_bytes(archive.read_bytes()) and path / fname)

    monkeypatch.setattr(pooch, "retrieve", served)
    seen: list[tuple[str, int, int]] = []
    files.download("cifar10", lambda *step: seen.append(step))
    assert seen == [("cifar-10-python.tar.gz", 60, 100), ("cifar-10-python.tar.gz", 100, 100)]
    assert not (data_folder / "cifar10" / "cifar-10-python.tar.gz").exists()
    assert len(cifar10().load().train_x) == 20


def test_every_data_set_that_is_offered_can_be_named_on_the_command_line():
    assert set(files.DATASETS) <= set(SOURCES)
