"""Contact sheets: pictures, their mosaic, and the drawing; panels put side by side."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from prunescope.base.errors import DataError, UsageError
from prunescope.studies import Computed, Figure, Sheet, Study, drawing
from prunescope.studies.report import write
from prunescope.studies.sheets import images, mosaic, size
from prunescope.studies.svg import side_by_side
from prunescope.tasks.data.digits import digits
from prunescope.tasks.data.idx import Idx
from prunescope.tasks.data.synthetic import synthetic

ROWS = [
    {"panel": panel, "index": index, "label": index % 10, "prediction": 3, "marked": index == 5}
    for panel in ("clean", "noisy")
    for index in (5, 0, 700)
]
PLOT = Sheet(digits(), across=2)


def test_pictures_are_the_data_set_s_own():
    found = images(PLOT, [5, 0, 5])
    raw = digits().load().train_x.tensor[[5, 0]].double().numpy()
    expected = (raw - raw.min()) / (raw.max() - raw.min())
    assert found.shape == (3, 8, 8, 3) and np.array_equal(found[0], found[2])
    np.testing.assert_allclose(found[:2, :, :, 1], expected[:, 0], atol=1e-6)


def test_a_mosaic_has_every_picture_in_its_place_and_nothing_between():
    pictures = np.random.default_rng(0).random((3, 4, 5, 3))
    whole = mosaic(pictures, across=2)
    down, right = 4 + 2, 5 + 1
    assert whole.shape == (2 * down, 2 * right, 4)
    for place, picture in enumerate(pictures):
        top, left = place // 2 * down, place % 2 * right
        assert np.array_equal(whole[top : top + 4, left : left + 5, :3], np.round(255 * picture).astype(np.uint8))
    assert (whole[..., 3] == 255).sum() == 3 * 20


def test_a_sheet_says_label_and_prediction_and_colours_flipped_ones():
    text = drawing.document(PLOT, ROWS, name="sheet")
    ElementTree.fromstring(text)
    assert text == drawing.document(PLOT, ROWS, name="sheet") and len(drawing.panels(PLOT, ROWS, name="sheet")) == 2
    assert text.count("0 → 3") == 4 and text.count("5 → 3") == 2
    assert len(re.findall(r"#d55e00", text, flags=re.IGNORECASE)) == 2
    assert size(PLOT, ROWS)[1] > size(Sheet(digits(), across=3), ROWS)[1]


@pytest.mark.parametrize(
    ("source", "index", "says"),
    [(digits(), 1297, "of 1297"), (synthetic(classes=2, shape=(5,), train=9, test=2), 0, "are no images")],
)
def test_what_is_no_image_is_refused(source, index, says):
    with pytest.raises(UsageError, match=says):
        drawing.document(Sheet(source), [{**ROWS[0], "index": index}], name="sheet")


def test_a_report_without_the_images_at_hand_lacks_one_figure_only(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path / "nothing"))
    gone = Idx.model_construct(**{**digits().model_dump(), "name": "mnist", "digest": "0" * 32})
    with pytest.raises(DataError):
        gone.load()
    figure = Figure("sheet", "Images", caption="", rows=[Computed((), lambda results: ROWS)], plot=Sheet(gone))
    study = Study("tiny", "Why?", settings=digits(), figures=(figure,))
    page = write(study, {}, tmp_path / "report").page
    assert "MNIST lacks" in page.read_text() and not (page.parent / "figures").exists()


def test_panels_side_by_side_keep_their_sizes():
    panels = [f'<svg width="9pt" viewBox="0 0 {w} {h}"><g id="{w}"/></svg>' for w, h in ((30, 20), (50, 40))]
    whole = ElementTree.fromstring(side_by_side(panels).encode())
    inner = [child for child in whole if child.tag.endswith("svg")]
    assert whole.get("viewBox") == "0 0 80 40" and [part.get("x") for part in inner] == ["0", "30"]
    assert [(part.get("width"), part.get("height")) for part in inner] == [("30", "20"), ("50", "40")]
    with pytest.raises(UsageError, match="view box"):
        side_by_side(["<p>"])


def test_panels_that_fill_a_line_go_below_it():
    panels = [
        f'<svg viewBox="0 0 {wide} {high}"></svg>' for wide, high in ((600, 100), (600, 50), (200, 30), (2000, 9))
    ]
    whole = ElementTree.fromstring(side_by_side(panels).encode())
    places = [tuple(float(part.get(name)) for name in ("x", "y")) for part in whole[1:]]
    assert places == [(0, 0), (600, 0), (0, 100), (0, 130)]
    assert whole.get("viewBox") == "0 0 2000 139"
