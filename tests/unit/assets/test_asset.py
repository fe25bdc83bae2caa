"""What an asset shows, and its `ETag`."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from policy_service.assets.asset import Asset, Edit, body, etag, render
from policy_service.policy.values import read_json, read_number
from policy_service.store.data_keys import DataKey

ASSET = Asset("entity", "id", "k", "host", ("Host",), None, "api", "", {"n": 1}, {"env": "prod"}, 1, 10, 20)
KEY = DataKey("acme", 1, b"k" * 32)


def test_what_is_shown_is_canonical_json_with_every_number() -> None:
    asset = replace(
        ASSET, properties={"b": read_number(Decimal("1e-300")), "a": Decimal("1.5"), "é": [1, Decimal("2.5")]}
    )
    assert body(asset, "acme").decode() == (
        '{"_accountId":"acme","_beginOn":20,"_class":["Host"],"_createdOn":10,"_deleted":false,"_endOn":null,"_id":"id",'
        '"_key":"k","_scope":"","_source":"api","_type":"host","_version":1,"a":1.5,"b":1E-300,"displayName":null,'
        '"tag.env":"prod","é":[1,2.5]}'
    )
    assert read_json(body(asset, "acme"))["b"] == Decimal("1e-300")


def test_a_property_never_stands_in_for_a_tag_or_a_system_member() -> None:
    shown = render(ASSET, "acme")
    assert shown["tag.env"] == "prod"
    assert "env" not in shown


def test_an_etag_is_of_what_is_shown_and_of_the_key() -> None:
    one = etag(ASSET, "acme", KEY)
    assert one == etag(ASSET, "acme", KEY)
    assert one.startswith('"')
    assert one.endswith('"')
    others = {
        etag(replace(ASSET, properties={"n": True}), "acme", KEY),
        etag(replace(ASSET, created_on=2), "acme", KEY),
        etag(ASSET, "acme", DataKey("acme", 2, b"x" * 32)),
        etag(ASSET, "globex", KEY),
    }
    assert len({one, *others}) == 5


def test_what_counts_changes_is_not_in_an_etag() -> None:
    """It counts changes of what is hidden, too."""
    assert etag(replace(ASSET, version=2, begin_on=2), "acme", KEY) == etag(ASSET, "acme", KEY)


def test_an_edit_tells_whether_anything_changes() -> None:
    assert Edit(None, ASSET).changes
    assert Edit(ASSET, None).changes
    assert Edit(ASSET, replace(ASSET, version=2)).changes
    assert not Edit(ASSET, ASSET).changes
