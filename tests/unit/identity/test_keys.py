"""Keys: made, found, refused and taken back."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policy_service.errors import Refused, StoreFailed, Unauthenticated, UnknownTenant
from policy_service.identity import key_files, keys
from policy_service.identity.base62 import checksum
from policy_service.identity.keys import KeyRing, create, entries, revoke
from policy_service.model import Thing

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
DAY = 86_400


def add_tenant(tenants: Path, name: str) -> None:
    (tenants / name).mkdir(parents=True)
    (tenants / name / "tenant.yaml").write_text(f"name: {name}\n")


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    folder = tmp_path / "tenants"
    add_tenant(folder, "acme")
    add_tenant(folder, "globex")
    return folder


def refuses(ring: KeyRing, token: str | None, tenant: str | None = None, now: float = NOW) -> bool:
    try:
        ring.find(token, tenant=tenant, now=now)
    except Unauthenticated:
        return True
    return False


class TestCreate:
    def test_a_key_names_its_tenant_and_its_id_and_ends_with_a_checksum(self, tenants: Path) -> None:
        token, key = create(tenants, "acme", now=NOW)
        start, tenant, key_id, secret, check = token.split("_")
        assert (start, tenant, key_id) == ("psk", "acme", key.id)
        assert (len(key_id), len(secret)) == (12, 43)
        assert check == checksum(token.rpartition("_")[0])

    def test_the_file_holds_the_hash_and_nothing_of_the_secret(self, tenants: Path) -> None:
        token, key = create(tenants, "acme", now=NOW)
        text = (tenants / "acme/keys.yaml").read_text()
        assert key.sha256 == hashlib.sha256(token.encode()).hexdigest()
        assert key.sha256 in text
        assert token.split("_")[3] not in text

    def test_the_file_is_for_its_owner_and_nothing_else_is_left(self, tenants: Path) -> None:
        create(tenants, "acme", now=NOW)
        assert stat.S_IMODE((tenants / "acme/keys.yaml").stat().st_mode) == 0o600
        assert sorted(path.name for path in (tenants / "acme").iterdir()) == ["keys.yaml", "tenant.yaml"]

    def test_it_can_decide_and_nothing_else_unless_asked(self, tenants: Path) -> None:
        assert create(tenants, "acme", now=NOW)[1].scopes == {"decide"}
        _, key = create(tenants, "acme", scopes=("read", "act"), subject="user:alice", expires="90d", now=NOW)
        assert (key.scopes, key.subject) == ({"read", "act"}, Thing("user", "alice"))
        assert key.expires == datetime(2026, 4, 1, tzinfo=UTC)
        assert entries(tenants, "acme")[1] == key

    @pytest.mark.parametrize(
        ("text", "end"),
        [("12h", NOW + DAY / 2), ("2w", NOW + 14 * DAY), ("2026-01-02T01:00:00+01:00", NOW + DAY)],
    )
    def test_an_expiry_is_a_time_or_a_duration(self, tenants: Path, text: str, end: float) -> None:
        _, key = create(tenants, "acme", expires=text, now=NOW)
        assert key.expires is not None
        assert key.expires.timestamp() == end

    @pytest.mark.parametrize(
        "options",
        [
            {"scopes": ()},
            {"scopes": ("admin",)},
            {"subject": "group:Administrators"},
            {"subject": "PolicyService::User:root"},
            {"subject": "alice"},
            {"subject": "user:\x7f"},
            {"expires": "soon"},
            {"expires": "0d"},
            {"expires": "999999w"},
            {"expires": "2025-12-31T23:59:59Z"},
            {"expires": "2026-01-01T00:00:00Z"},
            {"expires": "2027-01-01"},
        ],
    )
    def test_what_makes_no_sense_is_refused_and_nothing_written(self, tenants: Path, options: dict[str, str]) -> None:
        with pytest.raises(Refused, match=r"^(?!tenants/)"):
            create(tenants, "acme", now=NOW, **options)  # type: ignore[arg-type]
        assert not (tenants / "acme/keys.yaml").exists()

    @pytest.mark.parametrize("scopes", [(), ("admin",), ("decide", "admin")])
    def test_scopes_are_named_in_the_refusal(self, tenants: Path, scopes: tuple[str, ...]) -> None:
        with pytest.raises(Refused, match="choose from decide, read, write, ingest, act"):
            create(tenants, "acme", scopes=scopes, now=NOW)

    @pytest.mark.parametrize("name", ["nobody", "", "..", "../tenants/acme", "acme/", "ACME"])
    def test_a_tenant_that_is_not_there(self, tenants: Path, name: str) -> None:
        with pytest.raises(UnknownTenant):
            create(tenants, name, now=NOW)

    def test_a_folder_alone_is_no_tenant(self, tenants: Path) -> None:
        (tenants / "empty").mkdir()
        with pytest.raises(UnknownTenant):
            create(tenants, "empty", now=NOW)

    def test_a_broken_file_is_never_overwritten(self, tenants: Path) -> None:
        path = tenants / "acme/keys.yaml"
        path.write_text("keys: [oops]\n")
        with pytest.raises(Refused, match=r"tenants/acme/keys\.yaml:1: a key is a map"):
            create(tenants, "acme", now=NOW)
        assert path.read_text() == "keys: [oops]\n"

    def test_a_link_is_never_replaced(self, tenants: Path) -> None:
        create(tenants, "globex", now=NOW)
        (tenants / "acme/keys.yaml").symlink_to("../globex/keys.yaml")
        with pytest.raises(Refused, match="link"):
            create(tenants, "acme", now=NOW)

    def test_a_full_disk_leaves_the_old_file(self, tenants: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _, key = create(tenants, "acme", now=NOW)

        def fail(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(Refused, match="No space left"):
            create(tenants, "acme", now=NOW)
        assert entries(tenants, "acme") == (key,)
        assert len(list((tenants / "acme").iterdir())) == 2

    def test_keys_made_at_once_are_all_kept(self, tenants: Path) -> None:
        threads = [threading.Thread(target=create, args=(tenants, "acme"), kwargs={"now": NOW}) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(entries(tenants, "acme")) == 12


class TestFind:
    def test_a_key_is_found_with_all_it_may_do(self, tenants: Path) -> None:
        token, key = create(tenants, "acme", scopes=("read",), subject="user:alice", now=NOW)
        caller = KeyRing(tenants).find(token, tenant="acme", now=NOW)
        assert (caller.tenant, caller.key_id, caller.scopes) == ("acme", key.id, {"read"})
        assert caller.subject == Thing("user", "alice")

    def test_a_key_is_wrong_in_any_part(self, tenants: Path) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        ring = KeyRing(tenants)
        assert not refuses(ring, token)
        for position in range(len(token)):
            other = "x" if token[position] != "x" else "y"
            assert refuses(ring, token[:position] + other + token[position + 1 :])

    @pytest.mark.parametrize(
        "token",
        [
            *(None, "", "psk", "psk____", "_____", "psk_acme", "psk_acme_a_b_c_d", "psk_.._a_b_c", "psk_nobody_a_b_c"),
            *("psk_acme/_a_b_c", "psk_acme\n_a_b_c", "ü", "\ud800", "\0", "x" * 100_000, "_" * 100_000),
        ],
    )
    def test_what_is_no_key(self, tenants: Path, token: str | None) -> None:
        create(tenants, "acme", now=NOW)
        assert refuses(KeyRing(tenants), token)

    def test_a_key_with_more_behind_it_is_another(self, tenants: Path) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        assert refuses(KeyRing(tenants), f"{token}_x")
        assert refuses(KeyRing(tenants), f"{token}\n")

    def test_a_key_of_another_tenant_than_the_request_names(self, tenants: Path) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        ring = KeyRing(tenants)
        assert refuses(ring, token, tenant="globex")
        assert refuses(ring, token, tenant="")
        assert not refuses(ring, token, tenant="acme")

    def test_a_tenants_file_copied_to_another_gives_nothing_there(self, tenants: Path) -> None:
        token, key = create(tenants, "acme", now=NOW)
        (tenants / "globex/keys.yaml").write_bytes((tenants / "acme/keys.yaml").read_bytes())
        ring = KeyRing(tenants)
        assert refuses(ring, token.replace("acme", "globex"))
        assert refuses(ring, token, tenant="globex")
        assert ring.find(token, now=NOW).key_id == key.id

    def test_a_key_ends_with_its_expiry(self, tenants: Path) -> None:
        token, _ = create(tenants, "acme", expires="1d", now=NOW)
        ring = KeyRing(tenants)
        assert not refuses(ring, token, now=NOW + DAY - 0.001)
        assert refuses(ring, token, now=NOW + DAY)

    def test_every_refusal_reads_the_same(self, tenants: Path) -> None:
        token, _ = create(tenants, "acme", expires="1d", now=NOW)
        (tenants / "globex/keys.yaml").write_text("broken")
        ring = KeyRing(tenants)
        asked = [(None, None, NOW), ("x", None, NOW), (token, "globex", NOW), (token, None, NOW + DAY)]
        asked += [("psk_nobody_a_b_c", None, NOW), ("psk_globex_a_b_c", None, NOW), (token + "x", None, NOW)]
        messages = set()
        for text, tenant, now in asked:
            with pytest.raises(Unauthenticated) as refusal:
                ring.find(text, tenant=tenant, now=now)
            messages.add(str(refusal.value))
            assert refusal.value.__context__ is None
        assert len(messages) == 1

    def test_every_refusal_does_the_same_work(self, tenants: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        token, _ = create(tenants, "acme", expires="1d", now=NOW)
        other, _ = create(tenants, "globex", now=NOW)
        ring = KeyRing(tenants)
        ring.find(token, now=NOW)
        ring.find(other, now=NOW)
        work: list[str] = []
        done: list[list[str]] = []
        looked: list[str] = []
        real_compare, real_stat, real_digest = hmac.compare_digest, os.stat, keys._digest

        def compare(a: str, b: str) -> bool:
            assert len(a) == len(b) == 64
            work.append("compare")
            return real_compare(a, b)

        def look(path: str, **options: bool) -> os.stat_result:
            if str(path).endswith("keys.yaml"):
                work.append("stat")
                looked.append(path)
            return real_stat(path, **options)

        def digest(text: str) -> str:
            work.append("hash")
            return real_digest(text)

        monkeypatch.setattr(keys.hmac, "compare_digest", compare)
        monkeypatch.setattr(keys.os, "stat", look)
        monkeypatch.setattr(keys, "_digest", digest)
        monkeypatch.setattr(keys, "_TICK_SECONDS", -1.0)
        for text, tenant, now in [
            (token, None, NOW),
            (None, None, NOW),
            ("psk_.._a_b_c", None, NOW),
            ("psk_nobody_a_b_c", None, NOW),
            (token[:-1] + "!", None, NOW),
            (token, "globex", NOW),
            (token, None, NOW + DAY),
        ]:
            work.clear()
            refuses(ring, text, tenant, now)
            done.append(list(work))
        monkeypatch.undo()
        assert done == [["stat", "hash", "compare"]] * 7
        assert {Path(path).parent.parent for path in looked} == {tenants}
        assert not any(".." in path for path in looked)

    @pytest.mark.parametrize("text", ["xyz_acme_a_b_c", "psk_acme_a_b", "psk_acme_a_b_c_d"])
    def test_a_hash_of_another_form_of_key_gives_nothing(self, tenants: Path, text: str) -> None:
        _, key = create(tenants, "acme", now=NOW)
        path = tenants / "acme/keys.yaml"
        made = path.read_text().replace(key.sha256, hashlib.sha256(text.encode()).hexdigest()).replace(key.id, "a")
        path.write_text(made)
        assert refuses(KeyRing(tenants), text)

    def test_the_comparison_takes_the_whole_digest(self, tenants: Path) -> None:
        token, key = create(tenants, "acme", now=NOW)
        path = tenants / "acme/keys.yaml"
        path.write_text(path.read_text().replace(key.sha256, key.sha256[:63] + ("0" if key.sha256[63] != "0" else "1")))
        assert refuses(KeyRing(tenants), token)

    def test_a_dummy_folder_gives_no_keys(self, tenants: Path) -> None:
        _, key = create(tenants, "acme", now=NOW)
        (tenants / "_").mkdir()
        text = (tenants / "acme/keys.yaml").read_text()
        foreign = "psk_ACME_a_b_c"
        text = text.replace(key.sha256, hashlib.sha256(foreign.encode()).hexdigest()).replace(key.id, "a")
        (tenants / "_/keys.yaml").write_text(text)
        assert refuses(KeyRing(tenants), foreign)
        assert refuses(KeyRing(tenants), foreign, tenant="_")


class TestShut:
    """A tenant that is suspended or erased."""

    def test_its_keys_are_wrong_ones_and_those_of_others_are_not(self, tenants: Path) -> None:
        shut = {"acme"}
        ring = KeyRing(tenants, is_shut=shut.__contains__)
        token, _ = create(tenants, "acme", now=NOW)
        other, _ = create(tenants, "globex", now=NOW)
        with pytest.raises(Unauthenticated) as wrong:
            ring.find("psk_acme_a_b_c", now=NOW)
        with pytest.raises(Unauthenticated) as caught:
            ring.find(token, now=NOW)
        assert str(caught.value) == str(wrong.value)
        assert not refuses(ring, other)
        shut.clear()
        assert not refuses(ring, token)

    @pytest.mark.parametrize("token", [None, "", "x", "psk_nobody_a_b_c", "psk_ACME_a_b_c", "psk_acme_a_b_c", "right"])
    def test_every_key_costs_one_question_whatever_it_is(self, tenants: Path, token: str | None) -> None:
        right, _ = create(tenants, "acme", now=NOW)
        asked: list[str] = []

        def ask(name: str) -> bool:
            asked.append(name)
            return False

        refuses(KeyRing(tenants, is_shut=ask), right if token == "right" else token)
        name = "nobody" if "nobody" in str(token) else "acme" if token in ("right", "psk_acme_a_b_c") else "_"
        assert asked == [name]

    @pytest.mark.parametrize("token", [None, "psk_nobody_a_b_c", "right"])
    def test_where_that_can_not_be_known_no_key_is_wrong_and_none_is_right(
        self, tenants: Path, token: str | None
    ) -> None:
        right, _ = create(tenants, "acme", now=NOW)

        def fail(_: str) -> bool:
            raise StoreFailed("the store can't be reached")

        with pytest.raises(StoreFailed):
            KeyRing(tenants, is_shut=fail).find(right if token == "right" else token, now=NOW)


class TestChange:
    def test_a_new_key_and_a_revoked_one_count_at_once(self, tenants: Path) -> None:
        ring = KeyRing(tenants)
        first, key = create(tenants, "acme", now=NOW)
        assert not refuses(ring, first)
        second, _ = create(tenants, "acme", now=NOW)
        assert not refuses(ring, second)
        assert revoke(tenants, "acme", key.id) == key
        assert refuses(ring, first)
        assert not refuses(ring, second)

    def test_an_unknown_id_can_not_be_revoked(self, tenants: Path) -> None:
        with pytest.raises(Refused, match="has no key `x`"):
            revoke(tenants, "acme", "x")
        with pytest.raises(UnknownTenant):
            revoke(tenants, "nobody", "x")

    def test_an_edit_of_the_same_size_within_one_tick_is_seen(
        self, tenants: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token, key = create(tenants, "acme", now=NOW)
        monkeypatch.setattr(keys, "_sign", lambda status: (status.st_size,))
        ring = KeyRing(tenants)
        assert not refuses(ring, token)
        path = tenants / "acme/keys.yaml"
        path.write_text(path.read_text().replace(key.sha256, "0" * 64))
        assert refuses(ring, token)

    def test_a_settled_file_is_not_read_again(self, tenants: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        monkeypatch.setattr(keys, "_TICK_SECONDS", -1.0)
        ring = KeyRing(tenants)
        ring.find(token, now=NOW)
        monkeypatch.setattr(key_files, "read_file", lambda path: pytest.fail("it was read again"))
        assert not refuses(ring, token)

    @pytest.mark.parametrize("change", ["time", "rename"])
    def test_a_settled_file_is_read_again_when_it_looks_different(
        self, tenants: Path, monkeypatch: pytest.MonkeyPatch, change: str
    ) -> None:
        token, key = create(tenants, "acme", now=NOW)
        monkeypatch.setattr(keys, "_TICK_SECONDS", -1.0)
        ring = KeyRing(tenants)
        path = tenants / "acme/keys.yaml"
        status = path.stat()
        assert not refuses(ring, token)
        text = path.read_text().replace(key.sha256, "0" * 64)
        if change == "time":
            path.write_text(text)
            os.utime(path, ns=(0, 0))
        else:
            fresh = path.with_name("fresh")
            fresh.write_text(text)
            os.utime(fresh, ns=(status.st_atime_ns, status.st_mtime_ns))
            fresh.replace(path)
        assert refuses(ring, token)

    def test_a_swapped_link_to_all_tenants_is_seen(self, tenants: Path, tmp_path: Path) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        add_tenant(tmp_path / "other", "acme")
        link = tmp_path / "current"
        link.symlink_to(tenants)
        ring = KeyRing(link)
        assert not refuses(ring, token)
        fresh = tmp_path / "fresh"
        fresh.symlink_to(tmp_path / "other")
        fresh.replace(link)
        assert refuses(ring, token)

    def test_a_tenant_that_goes_takes_its_keys_along(self, tenants: Path) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        ring = KeyRing(tenants)
        assert not refuses(ring, token)
        (tenants / "acme").rename(tenants.parent / "gone")
        assert refuses(ring, token)

    def test_few_files_are_held_and_every_key_still_works(self, tenants: Path) -> None:
        ring = KeyRing(tenants, held=1)
        tokens = [create(tenants, name, now=NOW)[0] for name in ("acme", "globex", "acme")]
        for token in tokens * 2:
            assert not refuses(ring, token)
        assert len(ring._files) == 1


class TestBrokenFile:
    def test_no_key_is_valid_and_the_reason_is_told(self, tenants: Path) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        path = tenants / "acme/keys.yaml"
        ring = KeyRing(tenants)
        assert ring.problem("acme") is None
        good = path.read_text()
        path.write_text(good + "  - oops\n")
        assert refuses(ring, token)
        assert str(ring.problem("acme")).startswith("tenants/acme/keys.yaml:7: a key is a map")
        path.write_text(good)
        assert not refuses(ring, token)
        assert ring.problem("acme") is None

    def test_it_is_reported_once_for_each_change(self, tenants: Path) -> None:
        """Whoever sees 401 for a good key looks into the log of the service; who sends wrong ones must not fill it."""
        told: list[str] = []
        token, _ = create(tenants, "acme", now=NOW)
        path = tenants / "acme/keys.yaml"
        good = path.read_text()
        ring = KeyRing(tenants, report=told.append)
        for _ in range(3):
            assert not refuses(ring, token)
        assert told == []
        path.write_text(good + "  - oops\n")
        for _ in range(3):
            assert refuses(ring, token)
        (sentence,) = told
        assert sentence.startswith("no key of `acme` is valid: tenants/acme/keys.yaml:7: ")
        path.write_text(good)
        assert not refuses(ring, token)
        path.write_text(good + "  - oops\n")
        assert refuses(ring, token)
        assert len(told) == 2

    def test_a_file_that_is_too_large(self, tenants: Path) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        with (tenants / "acme/keys.yaml").open("a") as file:
            file.write("#" * key_files.FILE_BYTES)
        ring = KeyRing(tenants)
        assert refuses(ring, token)
        assert "at most" in str(ring.problem("acme"))

    def test_a_pipe_and_a_folder_are_no_files(self, tenants: Path) -> None:
        os.mkfifo(tenants / "acme/keys.yaml")
        (tenants / "globex/keys.yaml").mkdir()
        ring = KeyRing(tenants)
        assert refuses(ring, "psk_acme_a_b_c")
        assert "no file" in str(ring.problem("acme"))
        assert refuses(ring, "psk_globex_a_b_c")
        assert ring.problem("globex") is not None

    def test_a_file_that_could_not_be_opened_for_a_moment(self, tenants: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        token, _ = create(tenants, "acme", now=NOW)
        ring = KeyRing(tenants)

        def fail(path: str) -> None:
            raise OSError(24, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(key_files, "read_file", fail)
            patch.setattr(keys, "_TICK_SECONDS", -1.0)
            assert refuses(ring, token)
            assert "Too many open files" in str(ring.problem("acme"))
        assert not refuses(ring, token)

    def test_a_loop_of_links_is_told(self, tenants: Path) -> None:
        (tenants / "acme/keys.yaml").symlink_to("keys.yaml")
        ring = KeyRing(tenants)
        assert refuses(ring, "psk_acme_a_b_c")
        assert "can't be read" in str(ring.problem("acme"))

    def test_nothing_is_told_of_what_is_no_tenant(self, tenants: Path) -> None:
        (tenants.parent / "keys.yaml").write_text("broken")
        assert KeyRing(tenants).problem("..") is None
        assert KeyRing(tenants).problem("nobody") is None
        assert entries(tenants, "acme") == ()
