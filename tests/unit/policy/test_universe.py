"""What a search looks through beside the store."""

from __future__ import annotations

import json

from policy_service.policy.universe import find_actions, find_ids
from tests.property.files import make_bundle

ENTITIES = json.dumps([{"uid": {"type": "user", "id": id_}} for id_ in ("carol", "alice", "é", "eve")])
GROUPS = "g, user:bob, group:staff, acme\ng, user:alice, group:staff, acme\ng, robot:r2, group:staff, acme\n"


def test_ids_are_those_of_the_file_and_of_members_in_order_each_once() -> None:
    bundle = make_bundle({"entities.json": ENTITIES, "groups.csv": GROUPS})
    assert list(find_ids(bundle, "user")) == ["alice", "bob", "carol", "eve", "é"]
    assert list(find_ids(bundle, "robot")) == ["r2"]
    assert list(find_ids(bundle, "Group")) == []


def test_ids_go_on_after_one_that_need_not_be_there() -> None:
    bundle = make_bundle({"entities.json": ENTITIES, "groups.csv": GROUPS})
    assert list(find_ids(bundle, "user", "alice")) == ["bob", "carol", "eve", "é"]
    assert list(find_ids(bundle, "user", "bz")) == ["carol", "eve", "é"]
    assert list(find_ids(bundle, "user", "é")) == []


def test_actions_are_those_of_schemas_and_of_scopes_that_a_request_can_name() -> None:
    bundle = make_bundle(
        {
            "schema.cedarschema": 'entity user; action ship, "a::b" appliesTo { principal: user, resource: user };',
            "x.abac.json": json.dumps(
                {
                    "uid": "x",
                    "effect": "deny",
                    "targets": {"action_id": "wipe"},
                    "rules": {},
                }
            ),
            "x.casbin/model.conf": "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n"
            "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\n"
            "m = r.sub == p.sub && r.obj == p.obj && r.act == p.act\n",
            "x.casbin/policy.csv": "p, alice, d1, query\n",
        },
        platform={"x.cedar": 'permit(principal, action in [Action::"read", Shop::Action::"buy"], resource);'},
    )
    assert find_actions(bundle) == ["Shop::buy", "query", "read", "ship", "wipe"]
