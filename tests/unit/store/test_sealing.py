"""Sealed values: they open with the same key, for the same use, in the same place, and nowhere else."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_service.errors import NoKey
from policy_service.store import aead
from policy_service.store.aead import bind
from policy_service.store.data_keys import DataKey
from policy_service.store.sealing import blind, seal, sealed_version, unseal

KEY = DataKey("acme", 3, bytes(range(32)))
PLACE = ("entity", "properties.ssn", "id-1")


@pytest.mark.parametrize("plain", [b"", b"x", b"\x00" * 100, os.urandom(100_000)])
def test_what_was_sealed_opens(plain: bytes) -> None:
    blob = seal(KEY, "restricted", plain, *PLACE)
    assert sealed_version(blob) == 3
    assert len(blob) == 1 + 4 + 24 + len(plain) + 16
    assert unseal(KEY, "restricted", blob, *PLACE) == plain


@pytest.mark.parametrize(
    ("key", "use", "place"),
    [
        (DataKey("globex", 3, KEY.secret), "restricted", PLACE),
        (DataKey("acme", 4, KEY.secret), "restricted", PLACE),
        (DataKey("acme", 3, bytes(32)), "restricted", PLACE),
        (KEY, "log", PLACE),
        (KEY, "restricted", ("relationship", *PLACE[1:])),
        (KEY, "restricted", ("entity", "properties.pan", "id-1")),
        (KEY, "restricted", ("entity", "properties.ssn", "id-2")),
        (KEY, "restricted", ("entity", "properties.ssni", "d-1")),
        (KEY, "restricted", (*PLACE, "")),
        (KEY, "restricted", PLACE[:2]),
        (KEY, "restricted", ()),
    ],
)
def test_it_opens_nowhere_else(key: DataKey, use: str, place: tuple[str, ...]) -> None:
    blob = seal(KEY, "restricted", b"078-05-1120", *PLACE)
    with pytest.raises(NoKey):
        unseal(key, use, blob, *place)


def test_every_changed_byte_is_found() -> None:
    blob = seal(KEY, "log", b"body", "1")
    for place in range(len(blob)):
        with pytest.raises(NoKey):
            unseal(KEY, "log", blob[:place] + bytes([blob[place] ^ 0x80]) + blob[place + 1 :], "1")
    for length in range(len(blob)):
        with pytest.raises(NoKey):
            unseal(KEY, "log", blob[:length], "1")
    with pytest.raises(NoKey):
        unseal(KEY, "log", blob + b"\x00", "1")


def test_the_version_in_the_header_is_authenticated() -> None:
    """Who can write rows must not be able to say that another version sealed a value."""
    blob = seal(KEY, "log", b"body")
    moved = blob[:1] + (4).to_bytes(4) + blob[5:]
    with pytest.raises(NoKey, match="doesn't open"):
        unseal(DataKey("acme", 4, KEY.secret), "log", moved)


def test_another_version_is_named() -> None:
    with pytest.raises(NoKey, match="version 3 of the data key of `acme` sealed this, not version 4"):
        unseal(DataKey("acme", 4, KEY.secret), "log", seal(KEY, "log", b"body"))


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x01\x00\x00\x00", b"\x02" + bytes(60)])
def test_what_is_not_sealed_has_no_version(blob: bytes) -> None:
    with pytest.raises(NoKey, match="no sealed value"):
        sealed_version(blob)


def test_the_error_shows_neither_key_nor_value() -> None:
    blob = seal(KEY, "log", b"the value")
    with pytest.raises(NoKey) as caught:
        unseal(KEY, "log", blob, "elsewhere")
    assert caught.value.__cause__ is None
    assert "the value" not in str(caught.value)
    assert KEY.secret.hex() not in str(caught.value)


def test_equal_values_are_sealed_unequally_under_a_fresh_key_and_nonce_each(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = {seal(KEY, "log", b"same") for _ in range(1000)}
    assert len({blob[5:29] for blob in blobs}) == 1000
    assert len({blob[29:] for blob in blobs}) == 1000
    used: list[bytes] = []
    real = aead.AESGCM
    monkeypatch.setattr(aead, "AESGCM", lambda key: (used.append(key), real(key))[1])
    for _ in range(100):
        seal(KEY, "log", b"same")
    assert len(set(used)) == 100
    assert KEY.derive("log") not in used


def test_a_key_of_another_length_is_no_key() -> None:
    for length in (0, 16, 24, 31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            aead.encrypt(bytes(length), b"x", b"")


def test_a_blind_digest_is_equal_for_equal_values_of_one_key_and_name() -> None:
    digest = blind(KEY, "blind", b"x", "entity", "ssn")
    assert len(digest) == 16
    assert digest == blind(DataKey("acme", 3, KEY.secret), "blind", b"x", "entity", "ssn")
    others = [
        blind(KEY, "blind", b"y", "entity", "ssn"),
        blind(KEY, "blind", b"x", "entity", "pan"),
        blind(KEY, "blind", b"x", "entityssn"),
        blind(KEY, "blind", b"nx", "entity", "ss"),
        blind(KEY, "digest", b"x", "entity", "ssn"),
        blind(DataKey("globex", 3, KEY.secret), "blind", b"x", "entity", "ssn"),
        blind(DataKey("acme", 3, bytes(32)), "blind", b"x", "entity", "ssn"),
    ]
    assert len({digest, *others}) == 8


@given(st.lists(st.text()), st.lists(st.text()), st.binary(max_size=9), st.binary(max_size=9))
def test_no_two_lists_of_texts_are_bound_alike(one: list[str], two: list[str], rest: bytes, other: bytes) -> None:
    assert (bind(*one) + rest == bind(*two) + other) == ((one, rest) == (two, other))


def test_what_follows_the_texts_can_t_pass_for_one_of_them() -> None:
    assert bind("a", "b") != bind("a") + (1).to_bytes(4) + b"b"
    assert bind("\ud800") != bind("?")
