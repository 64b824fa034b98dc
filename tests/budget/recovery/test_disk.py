"""Laws of a journal's files."""

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from budget.recovery.disk import Disk
from budget.recovery.errors import JournalDirError
from budget.recovery.memory import Coverage
from budget.recovery.records import Record, encode, scan


def entry(seq: int) -> Record:
    """Build a ledger entry."""
    return {"k": "e", "seq": seq, "at": "1", "event": "dispatch", "id": f"r{seq}"}


def put(disk: Disk, *seqs: int) -> None:
    """Write entries as a journal does."""
    records = [entry(seq) for seq in seqs]
    disk.write(records, sync=True)
    for record in records:
        disk.memory.add(record)
    if disk.is_full:
        disk.rotate(disk.memory.head())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder that is not there yet."""
    return tmp_path / "a" / "journal"


@pytest.fixture
def disk(folder: Path) -> Iterator[Disk]:
    """Give an empty journal."""
    opened = Disk(folder)
    yield opened
    opened.close()


def last_file(folder: Path) -> Path:
    """Return the file that is written."""
    return max(folder.glob("*.journal"))


def test_a_folder_keeps_its_gateway_s_id_and_entries(folder: Path) -> None:
    """Also when it is opened again."""
    first = Disk(folder)
    put(first, 1, 2, 4)
    first.close()
    second = Disk(folder)
    assert second.gateway == first.gateway
    assert (second.memory.coverage.upto, second.memory.coverage.last) == (2, 4)
    assert second.entries(1, 4) == {2: entry(2), 4: entry(4)}
    second.close()


def test_two_processes_don_t_share_a_folder(disk: Disk, folder: Path) -> None:
    """The error names the setting."""
    with pytest.raises(JournalDirError, match=r"BUDGET_JOURNAL_DIR=.*another gateway uses it"):
        Disk(folder)
    assert disk.gateway


def test_a_torn_tail_is_cut_at_any_byte(tmp_path: Path) -> None:
    """What is whole before it stays; what is written next follows it."""
    whole = Disk(tmp_path / "whole")
    put(whole, 1, 2)
    whole.close()
    data = last_file(tmp_path / "whole").read_bytes()
    torn_bytes = len(encode(entry(2)))
    for cut in range(1, torn_bytes + 1):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "00000001.journal").write_bytes(data[:-cut])
        disk = Disk(folder)
        assert disk.cut_bytes == torn_bytes - cut
        assert disk.damages == []
        assert disk.memory.coverage.upto == 1
        put(disk, 3)
        disk.close()
        assert disk.entries(0, 9) == {1: entry(1), 3: entry(3)}


def test_damage_in_the_middle_is_reported_by_its_position(folder: Path) -> None:
    """The records after it count, and nothing is cut."""
    disk = Disk(folder)
    put(disk, 1, 2, 3)
    disk.close()
    path = last_file(folder)
    data = path.read_bytes()
    position = data.index(encode(entry(2)))
    path.write_bytes(data[: position + 20] + b"?" + data[position + 21 :])
    damaged = Disk(folder)
    assert [(d.file, d.position) for d in damaged.damages] == [(path.name, position)]
    assert sorted(damaged.entries(0, 9)) == [1, 3]
    assert damaged.cut_bytes == 0
    damaged.close()


def test_files_are_bounded_and_each_begins_with_what_is_known(folder: Path) -> None:
    """So that only the last one is read at a start, and all are for a rebuild."""
    disk = Disk(folder, segment_bytes=500)
    for seq in range(1, 41):
        put(disk, seq)
    disk.close()
    assert len(list(folder.glob("*.journal"))) > 5
    again = Disk(folder)
    assert again.memory.coverage.upto == 40
    assert sorted(again.entries(0, 40)) == list(range(1, 41))
    assert sorted(again.entries(17, 23)) == list(range(18, 24))
    again.close()


def test_a_file_is_dropped_only_when_it_is_old_and_redis_dropped_its_entries(folder: Path) -> None:
    """The one that is written stays."""
    disk = Disk(folder, segment_bytes=500)
    for seq in range(1, 41):
        put(disk, seq)
    files = len(list(folder.glob("*.journal")))
    now_ms = int(last_file(folder).stat().st_mtime * 1000)
    disk.drop_before(now_ms, 1_000)
    disk.drop_before(now_ms + 8 * 86_400_000, 1)
    assert len(list(folder.glob("*.journal"))) == files
    disk.drop_before(now_ms + 8 * 86_400_000, 20)
    left = sorted(disk.entries(0, 40))
    assert left == list(range(left[0], 41))
    assert 1 < left[0] <= 20
    disk.drop_before(now_ms + 8 * 86_400_000, 1_000)
    assert len(list(folder.glob("*.journal"))) == 1
    disk.close()


def test_what_a_full_disk_took_in_part_does_not_count(disk: Disk, folder: Path) -> None:
    """The next record follows the last whole one."""
    put(disk, 1)
    size = last_file(folder).stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            disk.write([entry(2)], sync=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    put(disk, 3)
    assert disk.entries(0, 9) == {1: entry(1), 3: entry(3)}


def test_nothing_follows_a_torn_record_that_can_t_be_cut_off(
    disk: Disk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be lost: it is refused until the disk lets the torn one go."""
    put(disk, 1)
    size = last_file(folder).stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with monkeypatch.context() as broken:
        broken.setattr(os, "ftruncate", _fail)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                disk.write([entry(2)], sync=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        with pytest.raises(OSError, match="Input/output error"):
            disk.write([entry(3)], sync=True)
    put(disk, 4)
    assert disk.entries(0, 9) == {1: entry(1), 4: entry(4)}


def _fail(_file: int, _size: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_file_that_can_t_be_removed_is_no_failure(folder: Path) -> None:
    """The journal is whole: nobody has to wait for housekeeping."""
    disk = Disk(folder, segment_bytes=500)
    for seq in range(1, 11):
        put(disk, seq)
    (folder / "00000000.journal").mkdir()
    now_ms = int(last_file(folder).stat().st_mtime * 1000)
    with capture_logs() as logs:
        disk.drop_before(now_ms + 8 * 86_400_000, 1_000)
    assert [each["event"] for each in logs] == ["journal_not_dropped"]
    disk.close()


def test_a_folder_that_can_t_be_read_is_refused(folder: Path) -> None:
    """Rather than taken for an empty one."""
    folder.mkdir(parents=True)
    (folder / "00000001.journal").write_bytes(os.urandom(64))
    with pytest.raises(JournalDirError, match="no record that can be read"):
        Disk(folder)


@given(st.permutations(list(range(1, 12))), st.integers(0, 5))
def test_coverage_is_the_same_in_any_order(seqs: list[int], skipped: int) -> None:
    """Every entry counts once, and the end of what is complete is found."""
    coverage = Coverage()
    coverage.skip_to(skipped)
    for seq in seqs:
        if seq != 8:
            coverage.add(seq)
    assert (coverage.upto, coverage.beyond, coverage.last) == (7, {9, 10, 11}, 11)
    assert 8 not in coverage
    coverage.skip_to(8)
    assert (coverage.upto, coverage.beyond) == (11, set())


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers())))
def test_what_is_written_is_read(records: list[Record]) -> None:
    """Byte for byte, whatever is in a text."""
    found = list(scan(b"".join(map(encode, records))))
    assert [each.record for each in found] == records
