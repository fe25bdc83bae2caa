"""Where stored entities come from."""

from __future__ import annotations

import json

from policy_service.access.facts import fetch
from policy_service.model import Entity, Uid
from tests.property.files import make_bundle


def test_those_that_are_stored_are_given_with_their_direct_parents() -> None:
    entities = [
        {"uid": {"type": "doc", "id": "a"}, "attrs": {"x": 1}, "parents": [{"type": "folder", "id": "f"}]},
        {"uid": {"type": "folder", "id": "f"}, "parents": [{"type": "folder", "id": "g"}]},
    ]
    bundle = make_bundle({"entities.json": json.dumps(entities), "groups.csv": "g, doc:a, group:x, acme\n"})
    known, missing = Uid("doc", "a"), Uid("doc", "b")
    assert fetch(bundle, [known, missing]) == {known: Entity(known, {"x": 1}, frozenset({Uid("folder", "f")}))}
    assert fetch(bundle, []) == {}


def test_another_tenant_s_are_not_there() -> None:
    uid = Uid("doc", "a")
    own = make_bundle({"entities.json": '[{"uid": {"type": "doc", "id": "a"}}]'})
    other = make_bundle({}, "citadel")
    assert set(fetch(own, [uid])) == {uid}
    assert fetch(other, [uid]) == {}
