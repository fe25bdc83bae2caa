"""The chain without a store: one text for a value, and hashes and signatures that cover all they should."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_service.audit import chain
from policy_service.store.data_keys import DataKey

KEY = DataKey("acme", 3, b"k" * 32)
HEAD = chain.sign_head(KEY, "acme", 5, b"h" * 32, 1_700_000_000_000_000)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner),
    max_leaves=8,
)


def test_members_are_sorted_without_spaces() -> None:
    assert chain.canonical({"b": (1, None, True), "a": {"d": "x", "c": 2**70}}) == (
        '{"a":{"c":1180591620717411303424,"d":"x"},"b":[1,null,true]}'
    )


@given(JSON)
def test_any_text_survives_and_is_one_line_of_ascii(value: object) -> None:
    text = chain.canonical(value)
    assert json.loads(text) == value
    assert chain.canonical(json.loads(text)) == text
    assert text.isascii()
    assert not {"\n", "\0"} & set(text)


@pytest.mark.parametrize("value", [1.0, float("nan"), {"a": [{"b": 0.5}]}, {1: "a"}, {"a": b"b"}, {"a": {"s"}}])
def test_what_has_no_one_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        chain.canonical(value)


def test_hashes_are_what_is_documented() -> None:
    entry = hashlib.sha256(b"\x00id\n{}").digest()
    assert chain.hash_entry("id", "{}") == entry
    assert chain.hash_link(chain.start("acme"), entry) == (
        hashlib.sha256(b"\x01" + hashlib.sha256(b"\x02acme").digest() + entry).digest()
    )


def test_an_entry_can_not_give_characters_of_its_body_to_its_id() -> None:
    assert chain.hash_entry("a{", "}") != chain.hash_entry("a", "{}")


def test_the_chain_of_one_account_is_no_start_for_another() -> None:
    assert chain.start("acme") != chain.start("globex")


def test_a_head_is_signed_and_names_its_key() -> None:
    assert HEAD.key == 3
    assert chain.is_signed(chain.public_key(KEY), "acme", HEAD)


@pytest.mark.parametrize(
    "changed",
    [{"seq": 6}, {"hash": b"g" * 32}, {"at": 1}, {"key": 2}, {"signature": b"s" * 64}, {"signature": b""}],
    ids=str,
)
def test_a_signature_covers_everything_a_head_says(changed: dict[str, object]) -> None:
    assert not chain.is_signed(chain.public_key(KEY), "acme", HEAD._replace(**changed))


def test_a_signature_is_for_its_account_and_key_alone() -> None:
    assert not chain.is_signed(chain.public_key(KEY), "globex", HEAD)
    assert not chain.is_signed(chain.public_key(DataKey("acme", 3, b"o" * 32)), "acme", HEAD)


def test_a_head_comes_back_from_the_store() -> None:
    assert chain.unpack(HEAD.seq, HEAD.hash, HEAD.at, chain.pack(HEAD)) == HEAD


@pytest.mark.parametrize("packed", [b"", b"abc", chain.pack(HEAD) + b"x", chain.pack(HEAD)[:-1]])
def test_what_is_no_signature_is_of_no_key(packed: bytes) -> None:
    head = chain.unpack(HEAD.seq, HEAD.hash, HEAD.at, packed)
    assert head.key == 0
    assert not chain.is_signed(chain.public_key(KEY), "acme", head)
