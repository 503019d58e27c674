"""Sections of the page of benchmarks take their places."""

import numpy as np
import pytest
from benchmarks.row import Row

from benchmarks import page


def test_a_question_asked_again_takes_its_place():
    head, table = page.heading("MNIST"), [Row("speed", np.array([2.0]), "s")]
    old, new = (
        {title: page.section(title, text, table, "today") for title in titles}
        for text, titles in (("then", "AB"), ("now", "BC"))
    )
    text = page.merged(page.merged(head, head, old, "ABC"), head, new, "ABC")
    parts = [part.split("\n") for part in text.split("\n## ")[1:]]
    assert [(part[0], part[2]) for part in parts] == [("A", "then"), ("B", "now"), ("C", "now")]
    assert text.startswith(head) and text.count("| speed | 2 |") == 3


def test_numbers_of_two_machines_do_not_stand_side_by_side():
    head = page.heading("MNIST")
    other = head.replace(f"Machine: {page.processor()}", "Machine: another")
    with pytest.raises(ValueError, match="was measured on another"):
        page.merged(other, head, {}, "ABC")
