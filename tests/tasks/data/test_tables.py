"""Files of one's own: npz, parquet, folders."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from prunescope.base.errors import DataError, UsageError
from prunescope.tasks.data.groups import grouping
from prunescope.tasks.data.tables import file_source
from prunescope.tasks.data.tensors import own
from prunescope.tasks.targets import Classes, Regression, Sequence


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "data"))
    return tmp_path


RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(10, 3)), np.arange(10) % 2
SPLIT = ["train"] * 6 + ["test"] * 4


def saved(place: Path, **arrays) -> str:
    np.savez(place / "my.npz", **arrays)
    return str(place / "my.npz")


def table(place: Path, **columns) -> str:
    parquet.write_table(pa.table(columns), place / "my.parquet")
    return str(place / "my.parquet")


COLUMNS = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "label": Y, "split": SPLIT}


def test_npz_and_parquet_are_the_source_that_the_arrays_are(place):
    wanted = own((X[:6], Y[:6]), (X[6:], Y[6:])).source
    for first, second in (("train_x", "x_train"), ("train_y", "y_train")):
        names = {"train_x": X[:6], "train_y": Y[:6], "test_x": X[6:], "test_y": Y[6:]}
        names[second] = names.pop(first)
        assert file_source(saved(place, **names), Classes()) == (wanted, None)
    assert file_source(table(place, **COLUMNS), Classes()) == (wanted, None)
    assert file_source(table(place, x=list(X), label=Y, split=SPLIT), Classes()) == (wanted, None)
    exact = {name: [Decimal(value) for value in COLUMNS[name].tolist()] for name in "abc"}
    assert file_source(table(place, **COLUMNS | exact), Classes()) == (wanted, None)


def test_tokens_names_and_groups_come_along(place):
    ids = RNG.integers(0, 9, (10, 4))
    path = saved(
        place,
        train_x=ids[:6],
        train_y=ids[:6] % 3,
        test_x=ids[6:],
        test_y=ids[6:] % 3,
        class_names=["a", "b", "c"],
    )
    source, layout = file_source(path, Sequence())
    assert layout is not None and source.class_names == ("a", "b", "c")
    assert torch.equal(layout.unpacked(source.load().test_x.take(torch.arange(4)))["0"], torch.from_numpy(ids[6:]))
    sites = ["x", "y"] * 5
    names = ["no", "yes"]
    source, _ = file_source(table(place, **COLUMNS | {"label": [names[y] for y in Y]}, site=sites), Classes())
    assert source.class_names == ("no", "yes") and source.load().train_y.tolist() == Y[:6].tolist()
    assert grouping(source.digest, "site").codes["test"].tolist() == [0, 1, 0, 1]


def test_groups_that_a_file_has_not_and_an_earlier_one_had_are_said(place, capsys):
    arrays = {"train_x": X[:6], "train_y": np.arange(6) % 2, "test_x": X[6:], "test_y": np.arange(len(X) - 6) % 2}
    file_source(saved(place, **arrays, test_site=np.arange(len(X) - 6)), Classes())
    assert "groups" not in capsys.readouterr().err
    source, _ = file_source(saved(place, **arrays), Classes())
    assert "has no groups; used are those given with the same examples before: site (" in capsys.readouterr().err
    assert grouping(source.digest, "site").names


def test_columns_that_are_named_are_groups_whatever_they_hold(place):
    flags, site = Y.astype(bool), pa.array(["x", "y"] * 5).dictionary_encode()
    columns = COLUMNS | {"label": Y, "arm": Y, "flag": flags, "site": site, "note": [None, *["z"] * 9]}
    source, _ = file_source(table(place, **columns), Classes(), groups=["arm", "flag"])
    assert source.load().test_x.shape == (X.shape[1],)
    codes = {name: grouping(source.digest, name).codes["test"].tolist() for name in ("arm", "flag", "site")}
    assert codes == {"arm": Y[6:].tolist(), "flag": Y[6:].tolist(), "site": [0, 1, 0, 1]}
    with pytest.raises(UsageError, match="no groups 'note'"):
        grouping(source.digest, "note")
    with pytest.raises(UsageError, match=r"missing values in note; .* such as 'unknown'"):
        file_source(table(place, **columns), Classes(), groups=["note"])
    arrays = {"train_x": X[:6], "train_y": Y[:6], "test_x": X[6:], "test_y": Y[6:], "test_flag": flags[6:]}
    source, _ = file_source(saved(place, **arrays, test_age=X[6:, 0]), Classes())
    assert grouping(source.digest, "flag").names == ("False", "True")
    with pytest.raises(UsageError, match=r"groups\['age'\] test is torch.float\d+ \(4,\); give a text or a whole"):
        file_source(saved(place, **arrays, test_age=X[6:, 0]), Classes(), groups=["age"])


def test_whole_numbers_in_columns_are_numbers_and_targets_are_obeyed(place):
    path = table(place, age=Y + 5, score=X[:, 0], y=X[:, 1], split=SPLIT)
    source, layout = file_source(path, Regression())
    arrays = source.load()
    assert layout is None and arrays.train_x.take(torch.tensor([1])).tolist() == [[6.0, pytest.approx(X[1, 0])]]
    np.testing.assert_allclose(arrays.test_y, X[6:, 1], rtol=1e-6)


def test_classes_have_the_order_that_pandas_gave_them(place):
    texts = pd.Categorical(np.array(["b", "a"])[Y], ["c", "b", "a"])
    given = pd.DataFrame({"a": X[:, 0], "split": SPLIT, "label": texts})
    for label, names in ((given["label"], ("c", "b", "a")), (given["label"].astype(str), ("a", "b"))):
        given.assign(label=label).to_parquet(place / "my.parquet")
        source, _ = file_source(str(place / "my.parquet"), Classes())
        assert source.class_names == names
        assert source.load().train_y.tolist() == [names.index("ba"[y]) for y in Y[:6]]


def test_files_that_do_not_fit_say_so(place):
    for name, words in (
        ("my.csv", "does not end in .npz or .parquet; give one of these, or one of mnist"),
        ("no", "no folder"),
    ):
        with pytest.raises(UsageError, match=words):
            file_source(name, Classes(), names=("mnist",))
    with pytest.raises(DataError, match=r"absent.npz is not there \(/"):
        file_source("absent.npz", Classes())
    with pytest.raises(UsageError, match="has train_x; it needs train_x, train_y"):
        file_source(saved(place, train_x=X), Classes())
    with pytest.raises(DataError, match=r"cannot be read .* write it with np\.savez"):
        file_source(saved(place, train_x=np.array([{}], dtype=object)), Classes())
    (place / "my.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"my\.parquet cannot be read"):
        file_source(str(place / "my.parquet"), Classes())


TABLES = {
    "no label": ({"a": X[:, 0], "split": SPLIT}, "has the columns a, split; it needs one of label, labels"),
    "no split": ({"a": X[:, 0], "label": Y}, "one called split with train or test"),
    "odd split": (
        {"a": X[:, 0], "label": Y, "split": ["train"] * 9 + ["dev"]},
        "has 'dev' in the column split",
    ),
    "missing": (
        {"a": [None, *X[1:, 0]], "label": Y, "split": SPLIT},
        "missing values in a; remove those rows",
    ),
    "no numbers": ({"a": ["t"] * 10, "label": Y, "split": SPLIT}, "no column of numbers"),
    "no rows": ({"a": pa.array([], pa.float64()), "y": pa.array([], pa.int64())}, "has no rows"),
    "ragged": ({"a": [[1.0]] * 9 + [[1.0, 2.0]], "y": Y, "split": SPLIT}, "lists of several lengths in a; pad"),
    "dates": (
        {"a": X[:, 0], "day": [date(2020, 1, 1)] * 10, "y": Y, "split": SPLIT},
        "has values in day that are no numbers, such as 2020-01-01; columns are",
    ),
    "no test rows": ({"a": X[:, 0], "label": Y, "split": ["train"] * 10}, "test has no examples"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_do_not_fit_say_so(name, place):
    columns, words = TABLES[name]
    with pytest.raises(UsageError, match=words):
        file_source(table(place, **columns), Classes())


def test_a_name_twice_is_refused(place):
    twice = pa.Table.from_arrays(
        [pa.array(X[:, 0]), pa.array(X[:, 1]), pa.array(Y), pa.array(SPLIT)], ["a", "a", "y", "split"]
    )
    parquet.write_table(twice, place / "my.parquet")
    with pytest.raises(UsageError, match="and no name twice"):
        file_source(str(place / "my.parquet"), Classes())


def test_an_index_of_pandas_is_no_number_of_an_example(place):
    given = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y, "split": SPLIT})
    wanted = own((X[:6, :2], Y[:6]), (X[6:, :2], Y[6:])).source
    given.set_index("split").to_parquet(place / "my.parquet")
    assert file_source(str(place / "my.parquet"), Classes()) == (wanted, None)
    for index in (None, pd.Index(RNG.normal(size=10)), pd.Index(["x", "y"] * 5, name="site")):
        given.set_axis(range(10) if index is None else index).to_parquet(place / "my.parquet")
        assert file_source(str(place / "my.parquet"), Classes()) == (wanted, None)
    source, _ = file_source(str(place / "my.parquet"), Classes(), groups=["site"])
    assert source == wanted and grouping(source.digest, "site").codes["test"].tolist() == [0, 1, 0, 1]


def test_classes_have_the_order_of_a_type_that_is_ordered(place):
    indices = pa.array(Y, pa.int8())
    for ordered, names in ((True, ("b", "a")), (False, ("a", "b"))):
        label = pa.DictionaryArray.from_arrays(indices, pa.array(["b", "a"]), ordered=ordered)  # an Enum of polars
        source, _ = file_source(table(place, a=X[:, 0], label=label, split=SPLIT), Classes())
        assert source.class_names == names
