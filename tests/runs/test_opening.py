"""A store is opened where there is one, made where there is nothing, and nothing else is taken for one."""

import pytest

import prunescope as ps
from prunescope.base.errors import StoreError, UsageError
from prunescope.runs.store.opening import open_store
from prunescope.runs.store.store import Store


def test_it_is_made_where_there_is_nothing(tmp_path):
    store = Store(tmp_path / "a" / "b")
    assert (store.root / "SCHEMA").read_text() == "1\n"
    assert list(store.run_ids()) == []
    assert Store(tmp_path / "a" / "b").root == store.root


@pytest.mark.parametrize("reading", [lambda at: ps.load_module("0123456789ab", store=at), open_store])
def test_what_only_reads_makes_no_store(tmp_path, reading):
    with pytest.raises(UsageError, match="there is no store at"):
        reading(tmp_path / "mistyped")
    assert not (tmp_path / "mistyped").exists()


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match="no store; choose an empty or new folder"):
        Store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be opened as a store"):
        Store(tmp_path / "file")


def test_another_schema_is_refused(tmp_path):
    (tmp_path / "SCHEMA").write_text("99\n")
    with pytest.raises(StoreError, match="schema '99', this version reads 1"):
        Store(tmp_path)
