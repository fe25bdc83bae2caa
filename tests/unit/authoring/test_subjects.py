"""In whose name lists are tried: somebody of each kind that files tell apart."""

from __future__ import annotations

import json
from typing import Any

from policy_service.authoring.subjects import MOST, find_subjects
from policy_service.model import Uid
from tests.property.files import make_bundle


def names(policies: str = "", groups: str = "", *entities: tuple[str, str, dict[str, Any]]) -> list[str]:
    return [subject.name for subject in find(policies, groups, *entities)]


def find(policies: str = "", groups: str = "", *entities: tuple[str, str, dict[str, Any]]) -> Any:
    items = [{"uid": {"type": type_, "id": id_}, "attrs": attrs, "parents": []} for type_, id_, attrs in entities]
    bundle = make_bundle({"p.cedar": policies, "groups.csv": groups, "entities.json": json.dumps(items)})
    return find_subjects(bundle)


def test_nobody_is_named_and_somebody_is_asked_for() -> None:
    (anybody,) = find()
    assert anybody == ("anybody", (Uid("user", "anybody"), {}, frozenset(), {}), False)


def test_one_stands_for_all_of_the_same_groups() -> None:
    groups = "g, user:a, group:x, acme\ng, user:b, group:x, acme\ng, user:c, group:y, acme\ng, group:y, group:x, acme\n"
    assert names("", groups) == ["user:a", "user:c", "anybody else"]


def test_of_the_same_groups_it_is_one_whom_files_know_more_of_and_then_others_with_attributes() -> None:
    groups = "".join(f"g, user:{id_}, group:x, acme\n" for id_ in "abcd")
    told = find(
        "", groups, ("user", "c", {"n": 1}), ("user", "b", {"n": 2}), ("user", "d", {}), ("host", "h", {"n": 3})
    )
    assert [subject.name for subject in told] == ["user:c", "user:b", "anybody else"]
    assert told[0].entity.attributes == {"n": 1}


def test_without_groups_it_is_the_types_that_policies_name_and_else_those_of_the_file() -> None:
    entities: list[tuple[str, str, dict[str, Any]]] = [("user", "a", {}), ("host", "h", {})]
    assert names("permit(principal is host, action, resource);", "", *entities) == ["host:h", "anybody else"]
    assert names('permit(principal == host::"q", action, resource);', "", *entities) == ["host:h", "anybody else"]
    assert names("permit(principal is PolicyService::Operator, action, resource);", "", *entities) == [
        "user:a",
        "host:h",
        "anybody else",
    ]


def test_members_stand_in_for_groups_that_policies_name_and_nobody_is_seen_in() -> None:
    policies = (
        'permit(principal in Group::"x", action, resource);'
        'forbid(principal, action, resource) unless { principal in [Group::"y", Group::"z"] };'
    )
    told = find(policies, "g, robot:a, group:x, acme\n")
    assert [(subject.name, subject.is_named) for subject in told] == [
        ("robot:a", True),
        ("a member of group:y", False),
        ("a member of group:z", False),
        ("anybody else", False),
    ]
    assert told[1].entity.uid == Uid("robot", "a member of group:y")
    assert told[1].entity.parents == {Uid("Group", "y")}


def test_they_are_not_too_many() -> None:
    policies = "".join(f'permit(principal in Group::"p{n}", action, resource);' for n in range(MOST + 5))
    groups = "".join(f"g, user:u{n}, group:g{n}, acme\n" for n in range(MOST + 5))
    assert len(names(policies, groups)) == 2 * MOST + 1
