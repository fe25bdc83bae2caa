"""Reading and writing `keys.yaml`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policy_service.errors import Refused
from policy_service.identity.key_files import Key, parse, read_instant, read_subject, write_text
from policy_service.model import Thing, is_tenant_name

HASH = "a" * 64
GOOD = f'{{id: "k1", sha256: "{HASH}", scopes: [decide], created: "2026-01-01T00:00:00Z"}}'


def entry(**changes: str | None) -> bytes:
    fields: dict[str, str | None] = {
        "id": '"k1"',
        "sha256": f'"{HASH}"',
        "scopes": "[decide]",
        "created": '"2026-01-01T00:00:00Z"',
    }
    fields |= changes
    body = ", ".join(f"{name}: {value}" for name, value in fields.items() if value is not None)
    return f"keys:\n  - {{{body}}}\n".encode()


def test_a_file_is_read_as_it_was_written() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    keys = (
        Key("000123456789", "1" * 64, frozenset({"decide", "act"}), moment, Thing("user", 'a"b\\c: ü😀')),
        Key("abc", HASH, frozenset({"ingest"}), moment, Thing("Inventory::Robot", "7"), moment),
    )
    assert parse(write_text(keys).encode()) == keys


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"keys:\n", b"keys: []\n"])
def test_a_file_without_keys_has_none(text: bytes) -> None:
    assert parse(text) == ()


def test_times_may_stand_without_quotes() -> None:
    (key,) = parse(entry(created="2026-01-01T00:00:00Z", expires="2027-01-01T00:00:00+02:00"))
    assert key.expires == datetime(2026, 12, 31, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"\xff", "1: invalid UTF-8"),
        (b"keys: [", "invalid YAML"),
        (b"- a\n", "one member `keys`"),
        (b"keys: []\nmore: 1\n", "one member `keys`"),
        (b"keys: {a: 1}\n", "one member `keys`"),
        (b"keys: [1]\n", "a key is a map"),
        (b"a: &a [x]\nkeys: *a\n", "anchor"),
        (b"keys: []\nkeys: []\n", "stands twice"),
        (b"keys: !!python/object/apply:os.system [x]\n", "tag"),
        (f"keys:\n  - {GOOD}\n  - {GOOD}\n".encode(), "3: the id `k1` stands twice"),
        (entry(id="1"), "2: `id` is missing or no text"),
        (entry(id='"../x"'), "`id` is 1 to 32"),
        (entry(id=None), "`id` is missing"),
        (entry(sha256='"' + "A" * 64 + '"'), "`sha256` is 64"),
        (entry(sha256='"abc"'), "`sha256` is 64"),
        (entry(scopes="decide"), "`scopes` is a list"),
        (entry(scopes="[]"), "`scopes` is a list"),
        (entry(scopes="[admin]"), "`scopes` is a list"),
        (entry(scopes="[[decide]]"), "`scopes` is a list"),
        (entry(scopes=None), "`scopes` is a list"),
        (entry(created=None), "`created` is missing"),
        (entry(created="2026-01-01"), "is no time"),
        (entry(expires="2027-01-01T00:00:00"), "is no time"),
        (entry(expires="2027-13-01T00:00:00Z"), "is no time"),
        (entry(expires="null"), "`expires` is missing or no text"),
        (entry(expired='"2027-01-01T00:00:00Z"'), "`expired` is no member"),
        (entry(subject="group:Administrators"), "a key can't act as"),
        (entry(subject="alice"), "names no entity"),
        (entry(subject="7"), "`subject` is missing or no text"),
    ],
)
def test_what_can_not_be_read_is_refused_with_its_line(text: bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=r"^\d+: ") as refusal:
        parse(text)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    ["group:a", "Group:a", "PolicyService::User:a", "PolicyService.User:a", "Action:a", "My::Action:a", "Escaped_61:a"],
)
def test_a_key_never_acts_as_what_only_the_service_makes(text: str) -> None:
    with pytest.raises(Refused, match="a key can't act as"):
        read_subject(text)


@pytest.mark.parametrize("text", ["", "user", "user:", ":a", "user:\ud800", "\ud800:a"])
def test_a_subject_is_a_type_and_an_id(text: str) -> None:
    with pytest.raises(Refused):
        read_subject(text)


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "..", "a/b", "a" * 64, "a\n", "ä", "a.b"])
def test_names_that_no_tenant_has(name: str) -> None:
    assert not is_tenant_name(name)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", "2026-01-01T00:00:60Z", ""])
def test_times_that_there_are_not(text: str) -> None:
    with pytest.raises(Refused, match="is no time"):
        read_instant(text)
