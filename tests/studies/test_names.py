"""How numbers are printed, and what studies, figures and files may be called."""

from dataclasses import replace

import pytest

from prunescope.base.errors import UsageError
from prunescope.studies.numbers import number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.18512, "−0.185"),
        (1234.5, "1230"),
        (0.0, "0"),
        (3, "3"),
        (1e-7, "1.00e−07"),
        (float("nan"), "nan"),
        (True, "True"),
        ("text", "text"),
        (10.26, "10.3"),
    ],
)
def test_number_is_short_and_plain(value, text):
    assert number(value) == text


@pytest.mark.parametrize("name", ["p", "p_holm", "McNemar p"])
def test_a_p_is_never_printed_as_none(name):
    assert number(6.2e-24, name) == "6.20e−24"
    assert number(0.0, name) == number(6.2e-24, "drop") == "0"


def test_names_of_figures_are_unique_in_a_study(study):
    with pytest.raises(UsageError, match="each its own name"):
        replace(study, figures=study.figures * 2)


@pytest.mark.parametrize("name", ["../out", "/out", "", "a//b", "a/..", ".a", "a" * 101, 3])
def test_a_study_is_called_what_a_folder_of_reports_can_be_called(name, study):
    assert replace(study, name="jin2022/étude 2").name == "jin2022/étude 2"
    with pytest.raises(UsageError, match="cannot be a folder of reports"):
        replace(study, name=name)


@pytest.mark.parametrize("name", ["../evil", "x" * 101, ""])
def test_names_are_file_names(name, study):
    with pytest.raises(UsageError, match="file name"):
        replace(study, figures=(replace(study.figures[0], name=name),))
