"""Reading a folder: only regular files of its own, bounded, and a fingerprint that sees every change."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from policy_service.bundles import sources
from policy_service.bundles.sources import digest, pack, read_layer, signature, unpack
from policy_service.model import is_tenant_name
from policy_service.policy.scope import Limits
from tests.unit.bundles.folders import fill


def refuse(folder: Path) -> list[str]:
    source = read_layer(folder, "tenants/acme")
    assert source.findings
    return [str(finding) for finding in source.findings]


def test_it_reads_all_but_what_is_no_part_of_a_bundle(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {"a.cedar": "1", "cases/b.yaml": "2", "keys.yaml": "3", ".git/config": "4", "README.md": "5", ".x.cedar": "6"},
    )
    source = read_layer(tmp_path, "tenants/acme")
    assert source.files == {"a.cedar": b"1", "cases/b.yaml": b"2"}
    assert source.findings == ()
    assert source.signature == signature(tmp_path)
    assert source.digest == digest(source.files)


def test_the_digest_is_of_names_and_contents() -> None:
    seen = {
        digest(files)
        for files in ({}, {"a": b""}, {"a": b"b"}, {"ab": b""}, {"a": b"1", "b": b"2"}, {"a": b"2", "b": b"1"})
    }
    assert len(seen) == 6
    assert digest({"a": b"1", "b": b"2"}) == digest({"b": b"2", "a": b"1"})


def test_packing_goes_both_ways_and_a_torn_pack_is_refused() -> None:
    files = {"a": b"\x00\n 1 1\n", "b/ü": b""}
    packed = b"".join(pack(files))
    assert unpack(packed) == files
    for torn in (packed[:-1], packed + b"1", packed[3:], b"1 -1\na"):
        with pytest.raises(ValueError, match=r".*"):
            unpack(torn)


def test_keys_and_editors_do_not_move_the_fingerprint_and_edits_do(tmp_path: Path) -> None:
    fill(tmp_path, {"a.cedar": "1", "cases/b.yaml": "2"})
    seen = signature(tmp_path)
    fill(tmp_path, {"keys.yaml": "x", ".a.cedar.swp": "x", "cases/.b": "x"})
    assert signature(tmp_path) == seen
    times = os.stat(tmp_path / "a.cedar")
    (tmp_path / "a.cedar").write_text("2")
    os.utime(tmp_path / "a.cedar", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert signature(tmp_path) != seen  # same size, same time of the last change
    seen = signature(tmp_path)
    (tmp_path / "cases" / "b.yaml").unlink()
    assert signature(tmp_path) != seen
    seen = signature(tmp_path)
    (tmp_path / "empty").mkdir()
    assert signature(tmp_path) != seen


def test_links_may_lead_to_the_folder_and_never_out_of_it(tmp_path: Path) -> None:
    secret = fill(tmp_path / "other", {"secret.cedar": "x"})
    folder = fill(tmp_path / "acme", {"real/a.txt": "1"})
    (folder / "a.cedar").symlink_to("real/a.txt")
    assert read_layer(folder, "tenants/acme").files["a.cedar"] == b"1"
    for name, target in {
        "b.cedar": secret / "secret.cedar",
        "c.cedar": Path("../other/secret.cedar"),
        "d.cedar": Path("/etc/hostname"),
        "e": secret,
        "f": Path("real"),
        "g.cedar": Path("missing"),
        "h.cedar": Path("h.cedar"),
    }.items():
        link = folder / name
        link.symlink_to(target)
        source = read_layer(folder, "tenants/acme")
        assert [finding.path for finding in source.findings] == [f"tenants/acme/{name}"]
        assert source.files == {}
        link.unlink()


def test_a_link_to_a_sibling_with_the_same_start_leads_out(tmp_path: Path) -> None:
    fill(tmp_path / "acme-private", {"x.cedar": "secret"})
    folder = fill(tmp_path / "acme", {"tenant.yaml": "name: x"})
    (folder / "x.cedar").symlink_to("../acme-private/x.cedar")
    assert "leads out" in refuse(folder)[0]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    fill(tmp_path / "v1", {"a.cedar": "1"})
    fill(tmp_path / "v2", {"a.cedar": "1"})
    link = tmp_path / "acme"
    link.symlink_to("v1")
    first = read_layer(link, "tenants/acme")
    assert first.files == {"a.cedar": b"1"}
    link.unlink()
    link.symlink_to("v2")
    assert signature(link) != first.signature


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    folder = fill(tmp_path / "acme", {"a.cedar": "1"})
    os.mkfifo(folder / "b.cedar")
    assert "tenants/acme/b.cedar:1: is no regular file, take it away" in refuse(folder)
    (folder / "b.cedar").unlink()
    (folder / "b.cedar").symlink_to("c.fifo")
    os.mkfifo(folder / "c.fifo")
    assert len(refuse(folder)) == 2
    (folder / "b.cedar").unlink()
    (folder / "c.fifo").unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
        assert "no regular file" in refuse(folder)[0]


def test_a_file_swapped_for_a_fifo_after_the_look_does_not_hang(tmp_path: Path) -> None:
    folder = fill(tmp_path / "acme", {"a.cedar": "1"})
    walk = sources._look(folder, "tenants/acme")
    assert walk is not None
    (folder / "a.cedar").unlink()
    os.mkfifo(folder / "a.cedar")
    place, known = walk.files["a.cedar"]
    assert sources._read(walk, "a.cedar", place, known) is None
    (folder / "a.cedar").unlink()
    (folder / "a.cedar").symlink_to(fill(tmp_path / "other", {"same-size": "2"}) / "same-size")
    assert sources._read(walk, "a.cedar", place, known) is None
    assert "no regular file" in walk.findings[0].sentence
    assert "symbolic links" in walk.findings[1].sentence


def test_a_folder_swapped_for_a_link_after_the_look_leads_nowhere(tmp_path: Path) -> None:
    folder = fill(tmp_path / "acme", {"sub/a.cedar": "1"})
    walk = sources._look(folder, "tenants/acme")
    assert walk is not None
    (folder / "sub").rename(folder / ".sub")
    (folder / "sub").symlink_to(fill(tmp_path / "other", {"a.cedar": "2"}))
    place, known = walk.files["sub/a.cedar"]
    assert sources._read(walk, "sub/a.cedar", place, known) is None
    assert "changes while it is read" in walk.findings[0].sentence


def test_a_file_that_grows_is_not_read_without_end(tmp_path: Path) -> None:
    folder = fill(tmp_path / "acme", {"a.cedar": "1"})
    walk = sources._look(folder, "tenants/acme")
    assert walk is not None
    fill(folder, {"a.cedar": "1" * 100})
    place, known = walk.files["a.cedar"]
    assert sources._read(walk, "a.cedar", place, known) is None
    assert "changes while it is read" in walk.findings[0].sentence


def test_counts_sizes_and_depths_are_bounded_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LIMITS", Limits(files=3, layer_bytes=100))
    monkeypatch.setattr(sources, "ENTRIES", 10)
    monkeypatch.setattr(sources, "most_bytes", lambda path: 50)
    monkeypatch.setattr(sources, "_read", lambda *_: pytest.fail("read past a limit"))
    many = fill(tmp_path / "many", {f"{n}.cedar": "" for n in range(4)})
    assert refuse(many) == ["tenants/acme:1: 4 files, at most 3"]
    hidden = fill(tmp_path / "hidden", {f".{n}": "" for n in range(30)})
    assert "entries" in refuse(hidden)[0]
    assert refuse(fill(tmp_path / "big", {"a.cedar": "x" * 51})) == [
        "tenants/acme/a.cedar:1: 51 bytes, at most 50, split it"
    ]
    assert "at most 100" in refuse(fill(tmp_path / "sum", {f"{n}.cedar": "x" * 40 for n in range(3)}))[0]
    deep = fill(tmp_path / "deep", {"/".join("abcdefghi") + "/x.cedar": ""})
    assert "nested deeper" in refuse(deep)[0]


def test_odd_names_and_unreadable_files_are_findings(tmp_path: Path) -> None:
    folder = fill(tmp_path / "acme", {"a\nb.cedar": "1"})
    assert "rename it" in refuse(folder)[0]
    (folder / "a\nb.cedar").unlink()
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff.cedar"))).write_text("1")
    assert "rename it" in refuse(folder)[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_a_finding(tmp_path: Path) -> None:
    folder = fill(tmp_path / "acme", {"a.cedar": "1"})
    (folder / "a.cedar").chmod(0)
    assert "permission denied" in refuse(folder)[0]


def test_what_can_not_be_read_is_part_of_the_digest(tmp_path: Path) -> None:
    folder = fill(tmp_path / "acme", {"a.cedar": "1"})
    before = read_layer(folder, "tenants/acme").digest
    os.mkfifo(folder / "x")
    broken = read_layer(folder, "tenants/acme").digest
    (folder / "x").rename(folder / "y")
    assert len({before, broken, read_layer(folder, "tenants/acme").digest, digest({})}) == 4
    (folder / "y").unlink()
    assert read_layer(folder, "tenants/acme").digest == before


def test_a_missing_folder_is_a_finding_without_a_fingerprint(tmp_path: Path) -> None:
    source = read_layer(tmp_path / "missing", "policies")
    assert source.findings
    assert source.signature == signature(tmp_path / "missing") == ()


def test_tenant_names() -> None:
    assert all(is_tenant_name(name) for name in ("a", "0", "acme-2", "x" * 63))
    wrong = ("", "-a", "A", "a_b", "a.b", "..", "a/b", "x" * 64, "a\n", "ä", "@platform")
    assert not any(is_tenant_name(name) for name in wrong)
