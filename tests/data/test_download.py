from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from recpress.core.errors import UserError
from recpress.data.archive import extract, extract_all
from recpress.data.download import CHUNK, DownloadError, download

BODY = bytes(range(256)) * 2000


def test_a_dropped_connection_is_resumed(server, tmp_path: Path) -> None:
    server.files["/a"], server.drop_after["/a"] = BODY, [100_000, 70_000]
    download(f"{server.url}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY
    ranges = [asked for _, asked in server.requests]
    assert ranges[0] is None
    assert len(ranges) == 3
    assert all(asked.startswith("bytes=") for asked in ranges[1:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_a_later_call_goes_on_where_a_killed_one_stopped(server, tmp_path: Path) -> None:
    server.files["/a"] = BODY
    (tmp_path / "a.part").write_bytes(BODY[:300_000])
    (tmp_path / "a.part.validator").write_text('"1"')
    download(f"{server.url}/a", tmp_path / "a")
    assert server.requests == [("/a", "bytes=300000-")]
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_file_that_changed_on_the_server_is_fetched_whole(server, tmp_path: Path) -> None:
    server.files["/a"], server.etags["/a"] = BODY, '"2"'
    (tmp_path / "a.part").write_bytes(b"old" * 100)
    (tmp_path / "a.part.validator").write_text('"1"')
    download(f"{server.url}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_part_without_validator_is_not_trusted(server, tmp_path: Path) -> None:
    server.files["/a"] = BODY
    (tmp_path / "a.part").write_bytes(b"unknown origin")
    download(f"{server.url}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_part_longer_than_the_file_starts_over(server, tmp_path: Path) -> None:
    server.files["/a"] = b"short"
    (tmp_path / "a.part").write_bytes(b"x" * 99)
    (tmp_path / "a.part.validator").write_text('"1"')
    download(f"{server.url}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"short"


def test_a_connection_that_always_breaks_is_an_error_and_keeps_the_part(server, tmp_path: Path) -> None:
    server.files["/a"], server.drop_after["/a"] = BODY, [70_000] * 20
    with pytest.raises(DownloadError):
        download(f"{server.url}/a", tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "a.part").stat().st_size == 5 * CHUNK


def test_an_http_error_is_named(server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="404"):
        download(f"{server.url}/none", tmp_path / "a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_error(server, tmp_path: Path) -> None:
    server.files["/a"] = BODY
    (tmp_path / "a.part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match="is full"):
        download(f"{server.url}/a", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def zip_with(path: Path, members: dict[str, bytes], link: str | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = 0o120777 << 16
            bundle.writestr(info, "/etc/passwd")
    return path


def test_extract_takes_one_member(tmp_path: Path) -> None:
    archive = zip_with(tmp_path / "z.zip", {"top/a.txt": b"a", "top/b.txt": b"b"})
    extract(archive, "top/b.txt", tmp_path / "out" / "b")
    assert (tmp_path / "out" / "b").read_bytes() == b"b"
    assert os.listdir(tmp_path / "out") == ["b"]  # noqa: PTH208 - names are what is compared


@pytest.mark.parametrize("member", ["../evil", "/evil", "a/../../evil", "..\\evil"])
def test_extract_refuses_names_that_leave_the_archive(tmp_path: Path, member: str) -> None:
    archive = zip_with(tmp_path / "z.zip", {"../evil": b"x", "/evil": b"x"})
    with pytest.raises(DownloadError, match="leaves the archive"):
        extract(archive, member, tmp_path / "out" / "evil")
    assert not (tmp_path / "out").exists()


def test_extract_refuses_links_in_zip_and_tar(tmp_path: Path) -> None:
    archive = zip_with(tmp_path / "z.zip", {}, link="top/link")
    with pytest.raises(DownloadError, match="not a regular file"):
        extract(archive, "top/link", tmp_path / "out")
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as bundle:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bundle.addfile(entry)
        good = tarfile.TarInfo("good")
        good.size = 2
        bundle.addfile(good, io.BytesIO(b"ok"))
    with pytest.raises(DownloadError, match="not a regular file"):
        extract(tmp_path / "t.tar.gz", "link", tmp_path / "out")
    extract(tmp_path / "t.tar.gz", "good", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"ok"


def test_extract_names_a_missing_member_and_a_damaged_archive(tmp_path: Path) -> None:
    archive = zip_with(tmp_path / "z.zip", {"a": b"a"})
    with pytest.raises(DownloadError, match="no member"):
        extract(archive, "b", tmp_path / "out")
    (tmp_path / "bad.zip").write_bytes(archive.read_bytes()[:20])
    with pytest.raises(DownloadError, match="damaged"):
        extract(tmp_path / "bad.zip", "a", tmp_path / "out")


def test_extract_all_drops_the_top_folder_and_is_all_or_nothing(tmp_path: Path) -> None:
    extract_all(zip_with(tmp_path / "z.zip", {"ddi/raw/e.csv": b"1", "ddi/R.txt": b"2"}), tmp_path / "set")
    assert (tmp_path / "set" / "raw" / "e.csv").read_bytes() == b"1"
    for number, bad in enumerate(({"ddi/a": b"1", "../evil": b"x"}, {"ddi/a": b"1"})):
        archive = zip_with(tmp_path / f"bad{number}.zip", bad, link=None if number == 0 else "ddi/link")
        with pytest.raises(UserError, match="was not unpacked"):
            extract_all(archive, tmp_path / "other")
        assert not (tmp_path / "other").exists()
        assert not (tmp_path / "evil").exists()
