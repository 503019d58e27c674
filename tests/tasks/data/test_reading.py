"""Examples as people hold them become the same source; what cannot be one says why, once."""

import collections
import warnings
from collections import UserDict

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from tests.tasks.data.examples import Pairs, X, Y
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
)

from prunescope.base.errors import UsageError
from prunescope.tasks.data.tensors import own


class Stream(IterableDataset):
    def __iter__(self):
        return iter(Pairs())


class Named(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, place):
        return {"image": X[place].numpy(), "label": np.int64(Y[place])}


class ClassLabel:
    names = ["cat", "dog", "eel"]


class HuggingFace:
    """What prunescope asks of a `datasets.Dataset`."""

    features = {"values": None, "label": ClassLabel()}

    def __len__(self):
        return 12

    def __getitem__(self, place):
        return {"values": X[place].tolist(), "label": int(Y[place])}


class HuggingFaceColumn(collections.abc.Sequence):
    """What `dataset["label"]` is of one."""

    def __init__(self, values, features=None):
        self.values, self.features = values, features

    def __len__(self):
        return 12

    def __getitem__(self, place):
        return self.values[place]


Labelled = collections.namedtuple("Labelled", ["label", "image"])


class Column:
    """What prunescope asks of a column of pandas or polars."""

    def __init__(self, values):
        self.values = values

    def to_numpy(self):
        return self.values


def in_numpy(pairs):
    return np.stack([x.numpy() for x, _ in pairs]), np.array([int(y) for _, y in pairs])


def in_lists(pairs):
    return tuple(zip(*[(x, int(y)) for x, y in pairs], strict=True))


class Readonly:
    def __array__(self, dtype=None, copy=None):
        array = X.numpy().copy()
        array.flags.writeable = False
        return array


HOLDERS = {
    "tensors": (X, Y),
    "float64": (X.double(), Y.int()),
    "numpy": (X.numpy(), Y.numpy().astype(np.uint16)),
    "lists": (X.tolist(), Y.tolist()),
    "a list of tensors": (list(X), list(Y)),
    "a list of two": [X, Y],
    "columns": (Column(X.numpy()), Column(Y.numpy())),
    "big-endian": (X.numpy().astype(">f4"), Y.numpy().astype(">i8")),
    "longdouble": (X.numpy().astype(np.longdouble), Y),
    "backwards": (X.numpy()[::-1][::-1], Y.numpy()[::-1][::-1]),
    "read only": (Readonly(), Y),
    "TensorDataset": TensorDataset(X, Y),
    "Dataset": Pairs(),
    "a list of pairs": [(X[i], Y[i]) for i in range(12)],
    "Dataset of dictionaries": Named(),
    "IterableDataset": Stream(),
    "DataLoader": DataLoader(Pairs(), batch_size=5),
    "shuffling DataLoader": DataLoader(Pairs(), batch_size=5, shuffle=True, drop_last=True),
    "DataLoader without batches": DataLoader(Pairs(), batch_size=None),
    "DataLoader with a sampler of batches": DataLoader(Pairs(), batch_sampler=BatchSampler(RandomSampler(X), 5, True)),
    "numbers as objects": (X.numpy().astype(object), Y.numpy().astype(object)),
    "DataLoader of a stream": DataLoader(Stream(), batch_size=5),
    "stream without batches": DataLoader(Stream(), batch_size=None),
    "stream by workers": DataLoader(Stream(), batch_size=5, num_workers=2),
    "batches by sampler": DataLoader(Pairs(), sampler=BatchSampler(RandomSampler(X), 5, False), batch_size=None),
    "batches of numpy": DataLoader(Pairs(), batch_size=4, collate_fn=in_numpy),
    "batches of lists": DataLoader(Pairs(), batch_size=4, collate_fn=in_lists),
    "Hugging Face": HuggingFace(),
    "columns of Hugging Face": (HuggingFaceColumn(X.tolist()), HuggingFaceColumn(Y.tolist(), ClassLabel())),
    "pyarrow": (pa.array(X.tolist()), pa.array(Y.tolist())),
    "a column of arrays": (pd.Series(list(X.numpy())), pd.Series(Y.numpy())),
    "negated lazily": (torch.complex(X, -X).conj().imag, Y),
    "named label first": [Labelled(Y[i], X[i]) for i in range(12)],
}


@pytest.mark.parametrize("name", HOLDERS)
def test_whatever_holds_examples_is_the_same_source(name):
    before = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source, layout, _ = own(HOLDERS[name], HOLDERS[name])
    assert torch.equal(torch.get_rng_state(), before)
    assert (source, layout) == (own((X, Y), (X, Y)).source, None) and source.classes == 3
    assert torch.equal(source.load().train_x.take(torch.arange(12)), X)


def test_names_of_classes_come_from_texts_from_the_source_or_from_the_user():
    names = np.array(["b", "c", "a"])
    texts, *_ = own((X, names[Y.numpy()]), (X, names[Y.numpy()].tolist()))
    arrays = texts.load()
    assert arrays.train_y.tolist() == [("a", "b", "c").index(names[label]) for label in Y]
    assert texts.class_names == ("a", "b", "c")
    given, *_ = own((X, Y), (X, Y), class_names=["x", "y", "z", "never seen"])
    assert given.classes == 4 and given.class_names[3] == "never seen"
    own(HuggingFace(), HuggingFace())
    assert given.class_names == ("cat", "dog", "eel"), "the last names given count"
    mapped, *_ = own((X, Y + 1), (X, Y + 1), class_names={3: "three", 1: "one", 2: "two"})
    assert mapped.load().train_y.tolist() == [(1, 2, 0)[label] for label in Y] and mapped.classes == 3


class Folders(Pairs):
    def __init__(self, *classes):
        super().__init__()
        self.classes = classes


class Texts(Folders):
    def __getitem__(self, place):
        x, y = super().__getitem__(place)
        return x, self.classes[y]


def test_a_label_means_one_class_in_both_sets():
    own(Folders("cat", "dog", "eel"), Folders("cat", "dog", "eel", "fox"), class_names=["Katze", "Hund", "Aal"])
    with pytest.raises(UsageError, match="label 1 is 'dog' in train and 'eel' in test; give both the same classes"):
        own(DataLoader(Folders("cat", "dog", "eel")), Subset(Folders("cat", "eel"), range(12)))
    both = ConcatDataset([Folders("cat", "dog", "eel"), Subset(Folders("cat", "eel", "dog"), range(12))])
    with pytest.raises(UsageError, match="label 1 is 'dog' and 'eel' in parts of a ConcatDataset"):
        own(both, (X, Y))
    texts = ConcatDataset([Texts("cat", "dog", "eel"), Subset(Texts("cat", "eel", "dog"), range(12))])
    source, *_ = own(texts, (X, [("cat", "dog", "eel")[label] for label in Y]))
    labels = [("cat", "dog", "eel").index(texts[place][1]) for place in range(len(texts))]
    assert source.load().train_y.tolist() == labels and source.class_names == ("cat", "dog", "eel")
    with pytest.raises(UsageError, match="'cat' is label 0 in train and 2 in class_names; give class_names in the ord"):
        own(HuggingFace(), (X, Y), class_names=["eel", "dog", "cat"])


def test_classes_of_a_table_have_the_order_that_it_gives_them():
    order, texts = ["low", "mid", "high", "never seen"], [("low", "mid", "high")[label] for label in Y]
    pandas, polars = pd.Series(pd.Categorical(texts, order)), pl.Series(texts, dtype=pl.Enum(order))
    for y in (pandas, pd.Categorical(texts, order), polars):
        source, *_ = own((X, y), (X, texts))
        assert source.load().train_y.tolist() == source.load().test_y.tolist() == Y.tolist()
        assert source.class_names == tuple(order) and source.classes == 4
    numbers, *_ = own((X, pd.Series(pd.Categorical(Y.tolist(), [2, 0, 1]))), (X, Y))
    assert numbers.load().train_y.tolist() == Y.tolist()
    unordered, *_ = own((X, pl.Series(texts, dtype=pl.Categorical)), (X, texts))
    assert unordered.class_names == ("high", "low", "mid")


class Indexed(Column):
    def __init__(self, values, index):
        super().__init__(values)
        self.index = index


def test_a_table_and_a_column_whose_rows_are_in_another_order_are_refused():
    x, order = Indexed(X.numpy(), range(12)), [*range(1, 12), 0]
    assert own((x, Indexed(Y.numpy(), range(12))), (x, Indexed(Y.numpy(), range(5, 17)))).source
    with pytest.raises(UsageError, match=r"rows of test y have another order than those of the ex"):
        own((X, Y), (x, Indexed(Y.numpy(), order)))
    here, there = (Indexed(Y.numpy(), index) for index in (range(12), order))
    assert own((x, Y), (x, Y), groups={"site": (here, here)}, weights=here).source
    for more, name in (
        ({"groups": {"site": (here, there)}}, r"groups\['site'\] test"),
        ({"weights": there}, "weights"),
    ):
        with pytest.raises(UsageError, match=f"the rows of {name} have another order"):
            own((x, Y), (x, Y), **more)


class Table(Column):
    """What prunescope asks of a table."""

    def __init__(self, *columns):
        super().__init__(X.numpy())
        self.columns = list(columns)


def test_columns_of_a_table_have_the_same_order_in_the_test_set():
    train = Table(*"abcd")
    assert own((train, Y), (Table(*"abcd"), Y)).source == own((X, Y), (X, Y)).source
    with pytest.raises(UsageError, match=r"other columns, or in another order \(b and c\); give test\[train.columns\]"):
        own((train, Y), (Table(*"acbd"), Y))
    with pytest.raises(UsageError, match=r"train is a table of a, b, c, d; give \(x, y\): its columns of numbers"):
        own(train, train)
    arrow = pa.table(dict(zip("abcd", X.T.numpy(), strict=True)))
    assert own((arrow, Y), (arrow.slice(2), Y[2:])).source.test == 10


TOKENS = torch.randint(0, 50, (12, 5), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("more", [{"batch_size": 4}, {"batch_size": 1}, {"batch_size": None}, None])
@pytest.mark.parametrize("kind", [tuple, list])
def test_parts_without_names_are_arguments_of_the_network_in_a_loader_too(kind, more):
    rows = [(kind([X[i], 2 * X[i]]), Y[i]) for i in range(12)]
    source, layout, _ = own(DataLoader(rows, **more) if more else rows, rows)
    assert layout.described == "0: float [4], 1: float [4]"
    assert torch.equal(source.load().train_x.take(torch.arange(12)), torch.cat([X, 2 * X], 1))


def test_parts_of_an_example_come_back_as_they_were():
    parts = {"ids": TOKENS, "mask": TOKENS > 9, "ages": X[:, 0], "values": X.double().view(12, 2, 2)}
    source, layout, _ = own((UserDict(parts), Y), (parts, Y))
    back = layout.unpacked(source.load().train_x.take(torch.arange(12)))
    assert {name: leaf.dtype for name, leaf in back.items()} == {
        "ids": torch.int64,
        "mask": torch.bool,
        "ages": torch.float32,
        "values": torch.float32,
    }
    assert all(torch.equal(back[name], leaf.to(back[name].dtype)) for name, leaf in parts.items())
    nudged = layout.unpacked(source.load().train_x.take(torch.arange(12)) * (1 - 1e-6))
    assert torch.equal(nudged["ids"], TOKENS), "rounding does not make another token"


def test_whole_numbers_are_exact_or_refused():
    largest = torch.tensor([[2**24 - 1, 0]] * 3)
    source, layout, _ = own((largest, [0, 1, 0]), (largest, [0, 1, 0]))
    assert torch.equal(layout.unpacked(source.load().train_x.take(torch.arange(3)))["0"], largest)
    for odd in (largest + 1, -largest):
        with pytest.raises(UsageError, match="tokens lie in 0 to 16777215"):
            own((odd, [0, 1, 0]), (odd, [0, 1, 0]))


def test_training_and_test_examples_have_the_same_parts():
    with pytest.raises(UsageError, match=r"0: int \[5\] and test examples one floating tensor; they must be alike"):
        own((TOKENS, Y), (X, Y))
    one, two = ({"a": X, "b": 2 * X}, Y), ({"b": 2 * X, "a": X}, Y)
    assert own(one, two) == own(one, one)
    with pytest.raises(UsageError, match="they must be alike"):
        own(({"ids": TOKENS}, Y), ({"ids": TOKENS[:, :4]}, Y))
