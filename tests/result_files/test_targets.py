"""What a file is written into: files, links, pipes, devices; what is left where that fails."""

from __future__ import annotations

import os
import threading

import pytest

from wdccheck import result_files
from wdccheck.errors import InvalidInput, NotSaved
from wdccheck.result_files import check_target, saved, targets, write_all, write_bytes


@pytest.fixture(params=[True, False])
def nameless(request, monkeypatch):
    """Both kinds of disks: those that have files without a name, and others."""
    if not request.param:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path, nameless):
    for name in ("there", "missing"):
        (tmp_path / f"to-{name}").symlink_to(name)
    (tmp_path / "there").write_bytes(b"old")
    for name in ("there", "missing"):
        write_bytes(tmp_path / f"to-{name}", b"new")
        assert (tmp_path / f"to-{name}").is_symlink() and (tmp_path / name).read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["missing", "there", "to-missing", "to-there"]


def test_a_pipe_and_a_device_are_written_to(tmp_path):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"x" * 10**6)
    reader.join()
    write_bytes(os.devnull, b"x")
    assert heard == [b"x" * 10**6] and pipe.is_fifo() and not os.path.isfile(os.devnull)


def test_an_open_file_is_written_to(tmp_path):
    with open(tmp_path / "open", "w") as file:
        file.write("text\n")
        file.flush()
        write_bytes(f"/dev/fd/{file.fileno()}", b"data")
    assert (tmp_path / "open").read_text() == "text\ndata"


def test_a_full_disk_keeps_the_old_files_and_gets_no_other(tmp_path, nameless, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    write = os.write

    def full(handle, data):
        if bytes(data) == b"too much":
            raise OSError(28, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(InvalidInput, match="b: a file that can be written required, found No space left"):
        write_all({tmp_path / "a": b"new", tmp_path / "b": b"too much"})
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"old"
    with pytest.warns(NotSaved, match="No space left on device; the work goes on"):
        assert not saved(lambda: write_bytes(tmp_path / "b", b"too much"), "the work goes on")
    assert saved(lambda: write_bytes(tmp_path / "b", b"little"), "")


def test_a_disk_without_links_that_is_full_by_then(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    ready = targets._Ready(tmp_path / "a", b"data")
    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(OSError, match="No space left"):
        ready.moved(False)
    ready.close()
    assert os.listdir(tmp_path) == []


def test_places_are_tried_before_the_work(tmp_path, nameless):
    (tmp_path / "loop").symlink_to("loop")
    for bad in ("", tmp_path, tmp_path / "none" / "x", tmp_path / ("x" * 300), "a\0b", tmp_path / "loop"):
        with pytest.raises(InvalidInput, match="a file that can be written"):
            check_target(bad)
    with pytest.raises(InvalidInput, match=r"--json: .* found '': an empty name"):
        check_target("", "--json")
    (tmp_path / "there").write_bytes(b"kept")
    for good in (tmp_path / "there", tmp_path / "new", os.devnull):
        check_target(good)
    assert sorted(os.listdir(tmp_path)) == ["loop", "there"] and (tmp_path / "there").read_bytes() == b"kept"


def test_results_go_through_here(tmp_path):
    (tmp_path / "link").symlink_to("file.json")
    result_files.write(tmp_path / "link", {"x": 1})
    assert result_files.read(tmp_path / "file.json")["x"] == 1
