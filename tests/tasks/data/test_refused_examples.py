"""What holds no examples, or none that fit, is refused in one message, and nothing is written."""

import numpy as np
import pytest
import torch
from tests.tasks.data.examples import Pairs, X, Y
from torch.utils.data import DataLoader, TensorDataset

from prunescope.base.errors import UsageError
from prunescope.tasks.data.tensors import own
from prunescope.tasks.targets import Binary, MultiLabel, Regression, Sequence


def one_label(pairs):
    return torch.stack([x for x, _ in pairs]), 0


MEMBERS = [({"a": X[i], "b": X[i]} if i > 2 else {"a": X[i]}, Y[i]) for i in range(12)]
NAN = X.clone()
NAN[3, 1] = float("nan")
HUGE = X.double().clone()
HUGE[2, 0] = -1e300
GAP = Y * 2
REFUSED = {
    "labels from 1": ((X, Y + 1), {}, r"no example has 0; map them, class_names=\{1: '1', 2: '2', 3: '3'\}"),
    "a gap": ((X, GAP), {}, r"reach to 4, and no example has 1, 3; map them, .* or say .* classes=5"),
    "negative": (
        (X, Y - 1),
        {},
        r"from -1 to 1; .* leave out the 4 examples below 0 if they have no label, or map the labels: .*\{-1: '-1'",
    ),
    "no width": ((X[:, :0], Y), {}, r"\(12, 0\), examples without numbers"),
    "too few classes": ((X, Y), {"classes": 2}, "classes=2 and the labels need 3; give at least 3"),
    "a text of classes": ((X, Y), {"classes": "3"}, "classes='3' is no number of classes"),
    "no classes": ((X, Y), {"classes": 0}, "classes=0 is no number of classes"),
    "a list of groups": ((X, Y), {"groups": ["site"]}, "groups is a list; give a dictionary"),
    "short unsigned integers": (((X * -9).to(torch.int16).to(torch.uint16), Y * 0), {}, "all 12 .* the label 0"),
    "fewer names than labels": ((X, Y), {"class_names": ["a", "b"], "classes": 5}, "class_names has 2 names and the"),
    "too few names": ((X, Y), {"class_names": ["a", "b"]}, "class_names has 2 names and the labels need 3"),
    "a name twice": ((X, Y), {"class_names": ["a", "b", "a"]}, "a name twice"),
    "an unmapped label": (
        (X, Y),
        {"class_names": {0: "a", 1: "b"}},
        "train y holds 2, which class_names does not have",
    ),
    "NaN": ((NAN, Y), {}, "train x holds values that are infinite or not a number, first in example 3"),
    "beyond float32": ((HUGE, Y), {}, r"train x holds 1e\+300 in example 2, beyond float32"),
    "pixels": (((X * 0).byte(), Y), {}, r"pixels as floating numbers, normalized \(x.float\(\) / 255\)"),
    "one column": ((X[:, 0], Y), {}, r"\[N, \*shape\], e.g. x\[:, None\]"),
    "complex": ((torch.complex(X, X), Y), {}, "dense real numbers"),
    "sparse": ((X.to_sparse(), Y), {}, "dense real numbers"),
    "texts as x": ((["a"] * 12, Y), {}, "train x holds texts"),
    "missing values": (([[1.0, None]] * 12, Y), {}, "train x holds missing values"),
    "a text that is missing": ((X, ["a", float("nan"), "b"] * 4), {}, "train y holds missing values"),
    "numbers and texts": ((X, ["a", 1, "b"] * 4), {}, "train y holds objects such as 'a'"),
    "nested": ((torch.nested.nested_tensor(list(X), layout=torch.jagged), Y), {}, r"x.to_padded_tensor"),
    "no parts": ([{"label": int(y)} for y in Y], {}, "train x has no parts"),
    "other members later": (
        MEMBERS,
        {},
        r"example 3 has the members \('a', 'b'\) and example 0 \('a',\)",
    ),
    "one label a batch": (DataLoader(Pairs(), batch_size=4, collate_fn=one_label), {}, "a batch has the label 0"),
    "rows of two lengths": (([[1.0], [1.0, 2.0]] * 6, Y), {}, "different shapes .* pad them to one"),
    "tensors of two shapes": (([X[0], X[0, :2]] * 6, Y), {}, "different shapes .* pad them to one"),
    "a mask": ((np.ma.masked_array(X.numpy(), X.numpy() > 1), Y), {}, "masked values"),
    "lengths": ((X, Y[:-1]), {}, "train has 12 of x, 11 of y"),
    "nothing": ((X[:0], Y[:0]), {}, "train has no examples"),
    "an empty Dataset": (Pairs(X[:0], Y[:0]), {}, "train has no examples|give examples"),
    "a single class": (
        (X, Y * 0),
        {},
        "all 12 training examples have the label 0; there is nothing to learn",
    ),
    "one-hot": ((X, torch.eye(3)[Y].long()), {}, r"y.argmax\(1\) if y is one-hot, target=MultiLabel\(\)"),
    "a column of labels": ((X, Y[:, None]), {}, r"give y\[:, 0\]"),
    "labels as floats": ((X, Y.float()), {}, r"give y.long\(\), for numbers target=Regression\(\)"),
    "three bits": ((X, Y), {"target": Binary()}, r"from 0 to 2; Binary\(\) takes 0 or 1"),
    "many labels of 2": (
        (X, torch.stack([Y, Y], 1)),
        {"target": MultiLabel()},
        r"MultiLabel\(\) takes 0 or 1 for each",
    ),
    "whole numbers to regress": (
        (X, Y),
        {"target": Regression()},
        r"Regression\(\) takes finite floating numbers",
    ),
    "nothing that counts": (
        (X, torch.full((12, 2), -100)),
        {"target": Sequence()},
        "at least one that counts",
    ),
    "a label far away": ((X, torch.where(Y == 2, 10**12, Y)), {}, "no example has 2, 3, 4, 5, 6, ...; map them"),
    "nowhere": ((X.to("meta"), Y), {}, "x is on the device 'meta', without numbers"),
    "numbers as texts": (
        (X, [str(k) for k in range(12)]),
        {},
        r"\(0, 1, 10, 11, \.\.\.\) than as numbers \(0, 1,",
    ),
    "a number": (3, {}, r"train is a int; give \(x, y\), a torch Dataset or a DataLoader"),
    "a dictionary": ({"x": X, "y": Y}, {}, r"train is a dictionary of x, y; give \(x, y\)"),
    "four members": ((X, Y, Y, Y), {}, r"train is a tuple of 4; give \(x, y\)"),
    "examples without a label": (TensorDataset(X), {}, r"example 0 is a tuple of 1; an example is \(x, y\)"),
    "groups of another length": (
        (X, Y),
        {"groups": {"site": (["a"], None)}},
        r"groups\['site'\] has 1 entries for train",
    ),
    "groups of either set": (
        (X, Y),
        {"groups": {"site": ["a"] * 12}},
        "with 12 training and 12 test examples",
    ),
    "floating groups": ((X, Y), {"groups": {"age": (X[:, 0], None)}}, "a text or a whole number an example"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_message_and_nothing_is_written(name, data_folder):
    data, more, words = REFUSED[name]
    with pytest.raises(UsageError, match=words):
        own(data, data, **more)
    assert not (data_folder / "tensors").exists()


def test_an_empty_test_set_and_texts_on_one_side_only_are_refused():
    with pytest.raises(UsageError, match="test has no examples"):
        own((X, Y), (X[:0], Y[:0]))
    with pytest.raises(UsageError, match="y is numbers in train and texts in test"):
        own((X, Y), (X, [str(label) for label in Y.tolist()]))
