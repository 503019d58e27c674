"""Files that are written whole or not at all."""

import errno

import pytest

from prunescope.base.files import write_whole


def test_a_file_that_cannot_be_written_leaves_what_was_there_and_is_named(tmp_path):
    path = tmp_path / "made" / "page.html"
    write_whole(path, lambda unfinished: unfinished.write_text("old"))

    def full(unfinished):
        unfinished.write_text("ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as raised:
        write_whole(path, full)
    assert raised.value.errno == errno.ENOSPC and raised.value.filename == str(path)
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]
