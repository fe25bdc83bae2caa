"""What is below a group by files is named as long as it is not too much."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from policy_service.assets import below as module
from policy_service.assets.below import below
from policy_service.model import Entity, Uid
from policy_service.policy.groups import parse_groups

STAFF = Uid("Group", "staff")


def find(uids: list[Uid], **more: Any) -> tuple[Uid, ...] | None:
    groups, _ = parse_groups(
        "groups.csv",
        "g, user:ann, group:inner, acme\ng, group:inner, group:staff, acme\ng, folder:a, group:staff, acme",
        "acme",
    )
    child = Uid("folder", "child")
    bundle = SimpleNamespace(
        groups=groups,
        entities={child: Entity(child, {}, frozenset({Uid("folder", "a")}), {})},
        file_types=frozenset({"folder"}),
        **more,
    )
    return below(SimpleNamespace(bundle=bundle), None, uids)  # type: ignore[arg-type]


def test_members_of_groups_and_children_in_files_are_below() -> None:
    names = {"staff", "inner", "ann", "a", "child"}
    assert {uid.id for uid in find([STAFF]) or ()} == names
    assert find([Uid("user", "ann")]) == (Uid("user", "ann"),)


def test_a_group_with_more_members_than_are_named_is_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BELOW", 4)
    assert find([STAFF]) is None

    class Many(list[Uid]):
        def __iter__(self) -> Iterator[Uid]:
            raise AssertionError("all members are looked at")

    groups = SimpleNamespace(members=lambda _: Many([STAFF] * 5))
    bundle = SimpleNamespace(groups=groups, entities={}, file_types=frozenset())
    assert below(SimpleNamespace(bundle=bundle), None, [STAFF]) is None  # type: ignore[arg-type]
