"""Whose rights a request has."""

from __future__ import annotations

import pytest

from policy_service.errors import Forbidden, RequestError
from policy_service.identity.acting import act_as, require_scope
from policy_service.model import Caller, Thing

BOB = Thing("user", "bob")
PLAIN = Caller("acme", "k1", frozenset({"read"}))
OWN = Caller("acme", "k1", frozenset({"read"}), BOB)
ACTING = Caller("acme", "k1", frozenset({"read", "act"}))
ACTING_OWN = Caller("acme", "k1", frozenset({"read", "act"}), BOB)


def test_a_key_acts_as_its_subject() -> None:
    assert act_as(OWN, None) == OWN
    assert act_as(ACTING_OWN, None) == ACTING_OWN


@pytest.mark.parametrize("caller", [ACTING, ACTING_OWN])
def test_with_act_the_named_subject_wins_and_all_else_stays(caller: Caller) -> None:
    assert act_as(caller, "user:alice") == Caller("acme", "k1", frozenset({"read", "act"}), Thing("user", "alice"))


def test_a_key_without_a_subject_is_told_what_to_do() -> None:
    with pytest.raises(Forbidden, match="key new --subject"):
        act_as(PLAIN, None)
    with pytest.raises(Forbidden, match="send `Policy-Subject"):
        act_as(ACTING, None)


@pytest.mark.parametrize("caller", [PLAIN, OWN])
@pytest.mark.parametrize("named", ["user:alice", "user:bob", "", "nonsense"])
def test_without_act_nobody_is_named_not_even_the_key_s_own(caller: Caller, named: str) -> None:
    with pytest.raises(Forbidden, match="lacks the scope `act`"):
        act_as(caller, named)


@pytest.mark.parametrize(
    ("named", "subject"),
    [
        ("user:J%C3%BCrgen", Thing("user", "Jürgen")),
        ("user:%61lice", Thing("user", "alice")),
        ("user:a%2Cb%20c", Thing("user", "a,b c")),
        ("user:a:b@c/d=%25", Thing("user", "a:b@c/d=%")),
        ("Inventory.Robot:7", Thing("Inventory::Robot", "7")),
        ("Inventory::Robot:7", Thing("Inventory::Robot", "7")),
        ("user:!#$&'()*+-./;<=>?[]^_`{|}~\"\\", Thing("user", "!#$&'()*+-./;<=>?[]^_`{|}~\"\\")),
    ],
)
def test_a_name_is_visible_ascii_or_percent_encoded(named: str, subject: Thing) -> None:
    assert act_as(ACTING, named).subject == subject


@pytest.mark.parametrize(
    "named",
    [
        "",
        "alice",
        "user:",
        ":alice",
        "user:alice,user:bob",
        "user:alice, user:bob",
        "user:J\xfcrgen",
        "user:a b",
        "user:a\tb",
        "user:a\x00",
        "user:alice\n",
        "user:a%",
        "user:a%2",
        "user:a%zz",
        "user:a%C3",
        "user:a%ED%A0%80",
        "user:a%FF",
    ],
)
def test_what_names_nobody_is_malformed(named: str) -> None:
    with pytest.raises(RequestError, match="Policy-Subject"):
        act_as(ACTING_OWN, named)


@pytest.mark.parametrize(
    "named",
    [
        "group:Administrators",
        "Group:Administrators",
        "Group%3AAdministrators",
        "%67roup:Administrators",
        "PolicyService::User:root",
        "PolicyService.Support:x",
        "Action:read",
        "Inventory.Action:read",
        "Escaped_47726f7570:Administrators",
    ],
)
def test_nobody_acts_as_what_only_the_service_makes(named: str) -> None:
    with pytest.raises(RequestError, match="only the service makes"):
        act_as(ACTING_OWN, named)


def test_a_scope_is_the_key_s() -> None:
    require_scope(PLAIN, "read")
    with pytest.raises(Forbidden, match=r"lacks the scope `write`.*--scope write"):
        require_scope(ACTING_OWN, "write")
