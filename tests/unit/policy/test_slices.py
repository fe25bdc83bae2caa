"""The index of a bundle: who is found for a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from policy_service.model import Effect, Engine, Entity, Policy, Uid
from policy_service.policy import slices as module
from policy_service.policy.decide import decide_slice
from policy_service.policy.residual.asked import Unknown
from policy_service.policy.scope import NOTHING, Key, Needs, Scope
from policy_service.policy.slices import KEPT, Index, keys_of, widen
from tests.property.files import answer, gather, make_bundle, question

ALICE, BOB, DOC, READ = Uid("user", "alice"), Uid("user", "bob"), Uid("doc", "d1"), Uid("Action", "read")
STAFF, VIEWING, FOLDER = Uid("Group", "staff"), Uid("Action", "viewing"), Uid("folder", "f1")


@dataclass(frozen=True)
class Fake:
    """A policy of no engine: the index asks for nothing else."""

    policy: Policy
    scope: Scope
    needs: Needs = NOTHING


def fake(name: str, scope: Scope, needs: Needs = NOTHING, effect: Effect = Effect.PERMIT) -> Fake:
    return Fake(Policy(name, effect, "x", 1, Engine.CEDAR), scope, needs)


def only(*keys: Key) -> frozenset[Key]:
    return frozenset(keys)


def found(index: Index, who: Uid, action: Uid = READ, what: Uid = DOC, above: Iterable[Uid] = ()) -> list[str]:
    """The policies found for a request whose three entities are all below `above`."""
    parents = frozenset(above)
    chosen = index.find(Entity(who, {}, parents), Entity(action, {}, parents), Entity(what, {}, parents))
    return [policy.id for policy in chosen.policies]


# keys


@pytest.mark.parametrize("role", ["principal", "resource"])
@pytest.mark.parametrize(
    ("key", "matches", "others"),
    [
        (("==", ALICE), [(ALICE, [])], [(BOB, []), (Uid("doc", "alice"), []), (BOB, [ALICE])]),
        (("in", STAFF), [(ALICE, [STAFF]), (STAFF, []), (ALICE, [FOLDER, STAFF])], [(ALICE, []), (ALICE, [FOLDER])]),
        (("is", "user"), [(ALICE, []), (BOB, [])], [(DOC, []), (DOC, [ALICE])]),
        (("id", "alice"), [(ALICE, []), (Uid("doc", "alice"), [])], [(BOB, []), (BOB, [ALICE])]),
    ],
)
def test_a_policy_is_found_by_its_keys(role: str, key: Key, matches: list[object], others: list[object]) -> None:
    index = Index([fake("p", Scope(**{role: only(key)}))])
    for cases, told in ((matches, ["p"]), (others, [])):
        for uid, above in cases:  # type: ignore[misc]
            other = {"who": uid, "what": Uid("x", "x")} if role == "principal" else {"who": Uid("x", "x"), "what": uid}
            assert found(index, above=above, **other) == told


def test_an_action_is_found_by_itself_and_by_its_groups() -> None:
    index = Index([fake("one", Scope(action=only(("==", READ)))), fake("all", Scope(action=only(("in", VIEWING))))])
    assert found(index, ALICE) == ["one"]
    assert found(index, ALICE, above=[VIEWING]) == ["one", "all"]
    assert found(index, ALICE, VIEWING) == ["all"]
    assert found(index, ALICE, Uid("Todo::Action", "read")) == []


def test_all_three_have_to_match_and_any_key_of_each_does() -> None:
    scope = Scope(only(("==", ALICE), ("==", BOB)), only(("==", READ)), only(("is", "doc"), ("==", FOLDER)))
    index = Index([fake("p", scope)])
    assert found(index, ALICE) == found(index, BOB, what=FOLDER) == ["p"]
    assert found(index, STAFF) == found(index, ALICE, VIEWING) == found(index, ALICE, what=STAFF) == []


def test_a_policy_for_anyone_is_found_by_everyone_and_one_for_nobody_by_none() -> None:
    index = Index([fake("any", Scope()), fake("none", Scope(principal=frozenset()))])
    assert found(index, ALICE) == found(index, Uid("x", ""), VIEWING, STAFF) == ["any"]


def test_policies_are_found_once_and_in_their_order() -> None:
    both = only(("==", ALICE), ("is", "user"), ("in", STAFF))
    index = Index([fake("b", Scope(both)), fake("a", Scope()), fake("c", Scope(resource=only(("is", "doc"))))])
    assert found(index, ALICE, above=[STAFF]) == ["b", "a", "c"]


def test_many_keys_are_looked_up_from_either_side() -> None:
    groups = [Uid("Group", str(number)) for number in range(50)]
    index = Index([fake(group.id, Scope(only(("in", group)))) for group in groups])
    assert found(index, ALICE, above=groups[3:5]) == ["3", "4"]
    few = Index([fake("p", Scope(only(("in", groups[7]))))])
    assert found(few, ALICE, above=groups) == ["p"]


def test_keys_are_those_of_the_entity_and_of_its_ancestors() -> None:
    keys = {None, ("==", ALICE), ("in", ALICE), ("is", "user"), ("id", "alice")}
    assert keys_of(ALICE, ()) == keys
    assert keys_of(ALICE, [STAFF]) == keys | {("in", STAFF)}


GROUPS = "g, user:alice, group:nested, acme\ng, group:nested, group:staff, acme\n"
IN_FOLDER = '[{"uid": {"type": "doc", "id": "d1"}, "parents": [{"type": "folder", "id": "f1"}]}]'
SCHEMA = """
entity user, folder; entity doc in [folder];
action all; action viewing in [all];
action read in [viewing] appliesTo { principal: user, resource: doc };
action write appliesTo { principal: user, resource: doc };
"""


@pytest.mark.parametrize(
    "scope",
    [
        'principal == user::"alice", action, resource',
        'principal in user::"alice", action, resource',
        'principal in Group::"staff", action, resource',
        "principal is user, action, resource",
        'principal is user in Group::"staff", action, resource',
        'principal, action == Action::"read", resource',
        'principal, action in Action::"read", resource',
        'principal, action in [Action::"read", Action::"list"], resource',
        'principal, action, resource == doc::"d1"',
        'principal, action, resource in folder::"f1"',
        "principal, action, resource is doc",
        'principal, action, resource is doc in folder::"f1"',
    ],
)
def test_every_kind_of_scope_of_cedar(scope: str) -> None:
    bundle = make_bundle({"p.cedar": f"permit({scope});", "groups.csv": GROUPS, "entities.json": IN_FOLDER})
    assert answer(bundle, question()).allowed
    assert not answer(bundle, question("x", "write", "y", "bot", "file")).allowed
    assert not answer(bundle, question("staff", "write", "f1", "doc", "user")).allowed


@pytest.mark.parametrize("scope", ['principal is doc in Group::"staff"', 'principal is user in Group::"other"'])
def test_both_parts_of_is_in_have_to_match(scope: str) -> None:
    bundle = make_bundle({"p.cedar": f"permit({scope}, action, resource);", "groups.csv": GROUPS})
    assert not answer(bundle, question()).allowed


@pytest.mark.parametrize("name", ["viewing", "all"])
@pytest.mark.parametrize("write", ['in Action::"{}"', 'in [Action::"{}"]'])
def test_groups_of_actions_match_their_actions(write: str, name: str) -> None:
    files = {"p.cedar": f"permit(principal, action {write.format(name)}, resource);", "schema.cedarschema": SCHEMA}
    bundle = make_bundle(files)
    assert answer(bundle, question()).allowed
    assert not answer(bundle, question(action="write")).allowed


@pytest.mark.parametrize("who", ["principal", 'principal == user::"alice"'])
def test_a_policy_for_no_action_is_for_nobody(who: str) -> None:
    """Cedar is asked about conditions alone, so an empty list of actions must not become any action."""
    bundle = make_bundle({"p.cedar": f'@id("p") permit({who}, action in [], resource);'})
    assert not answer(bundle, question("alice")).allowed


# what is kept


@pytest.mark.parametrize("role", ["principal", "resource"])
@pytest.mark.parametrize("key", [("==", ALICE), ("in", ALICE), ("id", "alice")])
def test_requests_that_differ_only_in_what_a_scope_names_are_told_apart(role: str, key: Key) -> None:
    index = Index([fake("p", Scope(**{role: only(key)}))])
    for asked in (BOB, ALICE, BOB, ALICE):
        request = {"who": asked, "what": BOB} if role == "principal" else {"who": BOB, "what": asked}
        assert found(index, **request) == (["p"] if asked is ALICE else [])


@pytest.mark.parametrize("key", [("==", READ), ("in", READ), ("in", VIEWING)])
def test_requests_that_differ_only_in_the_action_are_told_apart(key: Key) -> None:
    index = Index([fake("p", Scope(action=only(key)))])
    for _ in range(2):
        assert found(index, ALICE, READ, above=[VIEWING]) == ["p"]
        assert found(index, ALICE, Uid("Action", "write")) == []
        assert found(index, ALICE, Uid("Todo::Action", "read")) == []


@pytest.mark.parametrize("role", ["principal", "action", "resource"])
def test_requests_that_differ_only_in_ancestors_or_types_are_told_apart(role: str) -> None:
    index = Index([fake("in", Scope(**{role: only(("in", STAFF))})), fake("is", Scope(**{role: only(("is", "user"))}))])
    known = {"principal": BOB, "action": BOB, "resource": BOB}

    def ask(**changed: Entity) -> list[str]:
        chosen = index.find(**{name: Entity(uid, {}) for name, uid in known.items()} | changed)
        return [policy.id for policy in chosen.policies]

    for _ in range(2):
        assert ask() == ["is"]
        assert ask(**{role: Entity(BOB, {}, frozenset({STAFF}))}) == ["in", "is"]
        assert ask(**{role: Entity(Uid("bot", "bob"), {})}) == []


def test_requests_that_no_scope_tells_apart_share_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index([fake("p", Scope(only(("is", "user"))))])
    assert found(index, ALICE) == ["p"]
    # found without another search, whoever they are and whatever they hold
    monkeypatch.setattr(index, "_search", None)
    for who, what in ((ALICE, DOC), (BOB, DOC), (ALICE, Uid("doc", "d2"))):
        chosen = index.find(Entity(who, {"a": who.id}), Entity(READ, {"b": 1}), Entity(what, {}))
        assert [policy.id for policy in chosen.policies] == ["p"]
    assert len(index._known) == 1


@pytest.mark.parametrize("role", ["principal", "action", "resource"])
def test_long_names_that_a_request_may_invent_are_not_kept(role: str) -> None:
    index = Index([fake("p", Scope())])
    known = {"principal": ALICE, "action": READ, "resource": DOC}
    for uid in (Uid("x" * 100_000, "x"), Uid("Action", "x" * 100_000) if role == "action" else ALICE):
        chosen = index.find(**{name: Entity(each, {}) for name, each in (known | {role: uid}).items()})
        assert [policy.id for policy in chosen.policies] == ["p"]
    assert all(len(str(kept)) < 10_000 for kept in index._known)


def test_the_same_policies_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(module, "compile_slice", lambda policies: compiled.append(list(policies)) or compiled)
    index = Index([fake("p", Scope(only(("is", "user"))))])
    for above in ([], [STAFF], [FOLDER], []):
        index.find(Entity(ALICE, {}, frozenset(above)), Entity(READ, {}), Entity(DOC, {}))
    assert len(compiled) == 1
    assert len(index._known) == 3


def test_what_is_kept_is_bounded_and_right_after_it_was_dropped() -> None:
    users = [Uid("user", str(number)) for number in range(2 * KEPT + 10)]
    index = Index([fake(user.id, Scope(only(("==", user)))) for user in users])
    for user in (*users, *users[:10], *users[-10:]):
        assert found(index, user) == [user.id]
        assert len(index._known) <= KEPT
        assert len(index._slices) <= KEPT
    # the oldest went, not all
    assert len(index._known) >= KEPT // 2
    index.forget()
    assert not index._known
    assert not index._slices
    assert found(index, users[0]) == ["0"]


# slices


def test_a_slice_says_who_is_in_it_and_what_they_read_together() -> None:
    index = Index(
        [
            fake("a", Scope(), Needs(depth=2, attributes=frozenset({"x"}))),
            fake("b", Scope(), Needs(roots=frozenset({BOB}), now=True, attributes=frozenset({"y"})), Effect.FORBID),
            fake("c", Scope(only(("==", BOB))), Needs(caller=True)),
        ]
    )
    chosen = index.find(Entity(ALICE, {}), Entity(READ, {}), Entity(DOC, {}))
    assert [policy.id for policy in chosen.policies] == ["a", "b"]
    assert [policy.id for policy in chosen.permits] == ["a"]
    assert chosen.needs == Needs(2, frozenset({BOB}), False, True, False, frozenset({"x", "y"}))
    more = index.find(Entity(BOB, {}), Entity(READ, {}), Entity(DOC, {}))
    assert more.needs == Needs(2, frozenset({BOB}), False, True, True, None)


def test_an_empty_slice_reads_nothing() -> None:
    chosen = Index([]).find(Entity(ALICE, {}), Entity(READ, {}), Entity(DOC, {}))
    assert (chosen.policies, chosen.permits, chosen.cedar, chosen.abac, chosen.casbin) == ((), (), None, (), ())
    assert chosen.needs == Needs(attributes=frozenset())


def test_the_whole_is_every_policy_and_asks_for_the_hierarchy() -> None:
    whole = Index([fake("a", Scope()), fake("b", Scope(only(("==", BOB))))]).whole()
    assert [policy.id for policy in whole.policies] == ["a", "b"]
    assert whole.needs.hierarchy


def test_the_whole_decides_by_scopes_too() -> None:
    bundle = make_bundle({"p.cedar": 'permit(principal == user::"alice", action, resource);'})
    whole = bundle.index.whole()
    told = [decide_slice(whole, gather(bundle, question(name)), "").allowed for name in ("alice", "bob")]
    assert told == [True, False]


# scopes too large for an index


def ids(count: int) -> frozenset[Key]:
    return frozenset[Key](("id", str(number)) for number in range(count))


def test_a_cedar_policy_keeps_its_scope_however_full_the_index_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLACES", 0)
    actions = ", ".join(f'Action::"a{number}"' for number in range(300))
    bundle = make_bundle(
        {"p.cedar": f'permit(principal == user::"alice", action in [{actions}], resource == doc::"d1");'}
    )
    asked = [question("alice", "a299"), question("alice", "b"), question("bob", "a1"), question("alice", "a1", "d2")]
    assert [answer(bundle, request).allowed for request in asked] == [True, False, False, False]


def test_three_long_lists_are_no_product_of_the_three() -> None:
    actions = frozenset[Key](("==", Uid("Action", str(number))) for number in range(1000))
    assert widen(Scope(ids(1000), actions, ids(1000))).count(None) == 2


def test_the_longest_list_goes_first_and_short_ones_stay() -> None:
    assert widen(Scope(ids(3), ids(2), ids(2))) == Scope(ids(3), ids(2), ids(2))
    assert widen(Scope(ids(300), ids(200), ids(2))) == Scope(None, ids(200), ids(2))
    assert widen(Scope(ids(1000))) == Scope(ids(1000))
    assert widen(Scope(frozenset(), ids(300), ids(300))).principal == frozenset()
    assert widen(Scope()) == Scope()


def test_all_policies_together_take_a_bounded_number_of_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLACES", 300)
    index = Index([fake(str(number), Scope(ids(10), None, ids(10))) for number in range(20)])
    places = [
        position
        for by_principal in index._root.values()
        for by_resource in by_principal.values()
        for positions in by_resource.values()
        for position in positions
    ]
    assert len(places) <= 300 + 20 * module.COMBINATIONS
    assert len(found(index, Uid("user", "3"), what=Uid("doc", "4"))) == 20


def test_slices_are_kept_as_long_as_their_policies_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLICIES", 30)
    users = [Uid("user", str(number)) for number in range(20)]
    everyone = [fake(f"any{number}", Scope()) for number in range(9)]
    index = Index([*everyone, *(fake(user.id, Scope(only(("==", user)))) for user in users)])
    for user in (*users, *users):
        assert found(index, user) == [*(f"any{number}" for number in range(9)), user.id]
        assert 1 <= len(index._slices) <= 3
        assert len(index._known) <= 3
    index.forget()
    assert [found(index, user)[-1] for user in users[:3]] == ["0", "1", "2"]
    assert len(index._slices) == 3


# one side unknown


def opened(
    index: Index, known: Uid, unknown: Unknown = "resource", action: Uid = READ, above: Iterable[Uid] = ()
) -> list[str]:
    """The policies found for whatever the unknown side is."""
    parents = frozenset(above)
    chosen = index.find_open(Entity(known, {}, parents), Entity(action, {}, parents), unknown)
    return [compiled.policy.id for compiled in chosen.policies]


@pytest.mark.parametrize(("unknown", "role"), [("resource", "principal"), ("principal", "resource")])
def test_whatever_one_side_is_its_policies_are_found(unknown: Unknown, role: str) -> None:
    any_row = {unknown: only(("==", DOC), ("in", FOLDER), ("is", "x"), ("id", "y"))}
    index = Index(
        [
            fake("any", Scope()),
            fake("row", Scope(**any_row)),
            fake("alice", Scope(**any_row | {role: only(("==", ALICE))})),
            fake("staff", Scope(**{role: only(("in", STAFF))})),
            fake("nobody", Scope(**{unknown: frozenset()})),
            fake("viewing", Scope(action=only(("==", VIEWING)))),
        ]
    )
    for _ in range(2):
        assert opened(index, ALICE, unknown) == ["any", "row", "alice"]
        assert opened(index, BOB, unknown) == ["any", "row"]
        assert opened(index, BOB, unknown, above=[STAFF]) == ["any", "row", "staff"]
        assert opened(index, BOB, unknown, VIEWING) == ["any", "row", "viewing"]


def test_both_sides_may_be_unknown_in_turn() -> None:
    index = Index([fake("alice", Scope(only(("==", ALICE)))), fake("doc", Scope(resource=only(("==", DOC))))])
    assert opened(index, ALICE) == ["alice", "doc"]
    assert opened(index, ALICE, "principal") == ["alice"]
    assert opened(index, DOC, "principal") == ["alice", "doc"]


def test_what_they_read_together_is_known() -> None:
    index = Index([fake("a", Scope(), Needs(depth=2)), fake("b", Scope(), Needs(now=True))])
    needs = index.find_open(Entity(ALICE, {}), Entity(READ, {}), "resource").needs
    assert (needs.depth, needs.now) == (2, True)


def test_open_questions_are_kept_as_long_as_their_policies_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLICIES", 30)
    users = [Uid("user", str(number)) for number in range(20)]
    index = Index(
        [fake(f"any{number}", Scope()) for number in range(9)]
        + [fake(user.id, Scope(only(("==", user)))) for user in users]
    )
    for user in (*users, *users):
        assert opened(index, user)[-1] == user.id
        assert 1 <= len(index._open) <= 3
    index.forget()
    assert not index._open
