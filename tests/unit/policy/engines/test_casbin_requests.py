"""Ids of requests in a casbin matcher: as long as a request can be, and read only where a name is as long."""

from __future__ import annotations

import pytest

from policy_service.policy.engines import casbin_roles
from policy_service.policy.engines.casbin_roles import read_typed
from tests.property.files import answer, make_bundle, question

MODEL = """[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && (r.sub.type == "root" || g(r.sub, p.sub))
"""
LONGEST = "n" * 50


def test_an_id_longer_than_every_name_is_not_read_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = f"p, reader, d1, read\ng, {LONGEST}, reader\ng, user:bob, reader\n"
    bundle = make_bundle({"a.casbin/model.conf": MODEL, "a.casbin/policy.csv": lines})
    read: list[str] = []

    def note(name: str) -> object:
        read.append(name)
        return read_typed(name)

    monkeypatch.setattr(casbin_roles, "read_typed", note)
    asked = [LONGEST, "bob", "x:" + "y" * 100_000, "reader", LONGEST + "n"]
    assert [answer(bundle, question(name)).allowed for name in asked] == [True, True, False, False, False]
    assert read == [LONGEST, "bob"]
