"""Warnings about policies that are in order."""

from __future__ import annotations

import pytest

from policy_service.authoring.advice import MOST, find_advice
from tests.property.files import make_bundle

ACTION = 'PolicyService::Action::"{}"'


def advice(policies: str, name: str = "p.cedar", *, known: bool = True) -> list[str]:
    bundle = make_bundle({name: policies})
    return [str(finding) for finding in find_advice(bundle.layer, bundle if known else None)]


def head(*actions: str, effect: str = "permit") -> str:
    return f'@id("p") {effect}(principal, action in [{", ".join(map(ACTION.format, actions))}], resource);'


def test_a_forbid_that_fails_on_rows_says_that_lists_lose_them_before_all_else() -> None:
    told = advice(
        '@id("f") forbid(principal, action, resource) when { principal.level == 1 && resource.secret == true };'
    )
    assert told == [
        "tenants/acme/p.cedar:1: `f` denies where it fails to evaluate: errors on a resource without `secret`, so that "
        "lists lose each such row; write `resource has secret && …` (and 1 more)"
    ]


@pytest.mark.parametrize("actions", [("list",), ("search",), ("count",), ("count", "list", "search")])
@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_policy_of_lists_alone_changes_none(actions: tuple[str, ...], effect: str) -> None:
    assert advice(head(*actions, effect=effect)) == [
        "tenants/acme/p.cedar:1: `p` changes no list: lists, searches and counts show what `PolicyService::read` "
        "allows, name that action"
    ]


def test_so_is_one_in_another_language() -> None:
    policy = '[{"uid": "p", "effect": "allow", "targets": {"action_id": "PolicyService::list"}, "rules": {}}]'
    (told,) = advice(policy, "p.abac.json")
    assert "`p` changes no list" in told


@pytest.mark.parametrize("actions", [("read",), ("list", "read"), ("viewing",), ("export",)])
def test_one_that_is_of_reading_too_changes_them(actions: tuple[str, ...]) -> None:
    assert advice(head(*actions)) == []


def test_one_of_an_application_s_own_list_is_another_matter() -> None:
    assert advice('permit(principal, action == Action::"list", resource);') == []
    assert advice("permit(principal, action, resource);") == []


def test_what_can_t_be_said_in_sql_is_told_with_reason_and_text() -> None:
    policies = 'permit(principal, action, resource);\n@id("p") permit(principal, action, resource) when '
    policies += "{ ip(resource.addr).isLoopback() };"
    assert advice(policies) == [
        "tenants/acme/p.cedar:2: `p` can't be said in SQL, so that lists decide rows one by one: `ip` of a text that "
        "the row has (`ip(resource.addr)`)"
    ]
    # of files with findings nothing of the kind is known
    assert advice(policies, known=False) == []


def test_of_many_in_a_file_some_are_told_and_how_many_there_are() -> None:
    policies = "".join(
        f"permit(principal, action, resource) when {{ ip(resource.a{n}).isIpv4() }};\n" for n in range(8)
    )
    told = advice(policies)
    assert len(told) == MOST + 1
    assert told[-1] == (
        "tenants/acme/p.cedar:8: and 3 more of this file can't be said in SQL: `ip` of a text that the row has"
    )
