"""A slice decides as the whole, with the facts it asked for as with all there are; a batch as its items."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from policy_service.model import Act, Entity, Request, Thing, Uid
from policy_service.policy.decide import decide, decide_all, decide_slice
from policy_service.policy.facts import Facts
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import ask
from tests.property.files import gather, make_bundle

USERS, DOCS, FOLDERS, GROUPS = ("u1", "u2", "u3"), ("d1", "d2"), ("f1", "f2"), ("g1", "g2", "g3")
uids = st.one_of(
    st.sampled_from([f'user::"{name}"' for name in USERS]),
    st.sampled_from([f'doc::"{name}"' for name in DOCS]),
    st.sampled_from([f'folder::"{name}"' for name in FOLDERS]),
    st.sampled_from([f'Group::"{name}"' for name in GROUPS]),
)
CONDITIONS = (
    "principal.level == 1",
    "principal has level && principal.level > 0",
    "principal.manager.level == 1",
    "principal has manager && principal.manager has manager && principal.manager.manager.level >= 0",
    "resource.owner == principal",
    "resource.owner.manager == principal",
    'resource.owner in Group::"g1"',
    "principal in resource.readers",
    'user::"u1".level == 1',
    'user::"u2".manager.level == 1',
    'resource in folder::"f1"',
    'principal in [Group::"g2", Group::"g3"]',
    "resource.owners.contains(principal)",
    "context.level < 3",
    "action has soft && action.soft",
    '(if principal has level then principal else user::"u3").level == 1',
    "{who: resource.owner}.who.level == 1",
    'resource.hasTag("env") && resource.getTag("env") == "prod"',
    'resource.owner.hasTag("env")',
)


@st.composite
def scopes(draw: st.DrawFn, var: str) -> str:
    kind = draw(st.sampled_from(["any", "any", "==", "in", "is", "is in"]))
    if kind == "any":
        return var
    uid = draw(uids)
    if kind in ("==", "in"):
        return f"{var} {kind} {uid}"
    type_ = draw(st.sampled_from(["user", "doc"]))
    return f"{var} is {type_}" + (f" in {uid}" if kind == "is in" else "")


@st.composite
def policies(draw: st.DrawFn) -> str:
    texts = []
    for number in range(draw(st.integers(1, 8))):
        effect = draw(st.sampled_from(["permit", "permit", "forbid"]))
        action = draw(
            st.sampled_from(["action", 'action == Action::"read"', 'action in [Action::"read", Action::"write"]'])
        )
        when = "".join(
            f" {draw(st.sampled_from(['when', 'unless']))} {{ {draw(st.sampled_from(CONDITIONS))} }}"
            for _ in range(draw(st.integers(0, 2)))
        )
        scope = f"{draw(scopes('principal'))}, {action}, {draw(scopes('resource'))}"
        texts.append(f'@id("p{number}") {effect}({scope}){when};')
    return "\n".join(texts)


def reference(type_: str, name: str) -> dict[str, object]:
    return {"__entity": {"type": type_, "id": name}}


@st.composite
def stores(draw: st.DrawFn) -> list[dict[str, object]]:
    entities: list[dict[str, object]] = []
    for name in draw(st.sets(st.sampled_from(USERS))):
        attrs: dict[str, object] = {}
        if draw(st.booleans()):
            attrs["level"] = draw(st.integers(0, 2))
        if draw(st.booleans()):
            attrs["manager"] = reference("user", draw(st.sampled_from(USERS)))
        tags = {"env": draw(st.sampled_from(["prod", "test"]))} if draw(st.booleans()) else {}
        entities.append({"uid": {"type": "user", "id": name}, "attrs": attrs, "parents": [], "tags": tags})
    for name in draw(st.sets(st.sampled_from(DOCS))):
        attrs = {"owner": reference("user", draw(st.sampled_from(USERS)))} if draw(st.booleans()) else {}
        if draw(st.booleans()):
            attrs["owners"] = [reference("user", draw(st.sampled_from(USERS)))]
        parents = [{"type": "folder", "id": draw(st.sampled_from(FOLDERS))}] if draw(st.booleans()) else []
        entities.append({"uid": {"type": "doc", "id": name}, "attrs": attrs, "parents": parents, "tags": {}})
    if draw(st.booleans()):
        entities.append(
            {
                "uid": {"type": "folder", "id": "f1"},
                "attrs": {},
                "parents": [{"type": "folder", "id": "f2"}],
                "tags": {},
            }
        )
    return entities


@st.composite
def memberships(draw: st.DrawFn) -> str:
    lines = [
        f"g, user:{draw(st.sampled_from(USERS))}, group:{draw(st.sampled_from(GROUPS))}, acme"
        for _ in range(draw(st.integers(0, 3)))
    ]
    if draw(st.booleans()):
        lines.append("g, group:g1, group:g2, acme")
    if draw(st.booleans()):
        lines.append("g, group:g2, group:g3, acme")
    return "\n".join(lines) + "\n"


properties = st.fixed_dictionaries({}, optional={"level": st.integers(0, 2), "readers": st.just([])})
requests = st.builds(
    Request,
    st.builds(Thing, st.just("user"), st.sampled_from(USERS), properties),
    st.builds(Act, st.sampled_from(["read", "write"]), st.fixed_dictionaries({}, optional={"soft": st.booleans()})),
    st.builds(Thing, st.just("doc"), st.sampled_from(DOCS), properties),
    st.fixed_dictionaries({}, optional={"level": st.integers(0, 5)}),
)


def make(text: str, store: list[dict[str, object]], groups: str):
    return make_bundle({"p.cedar": text, "entities.json": json.dumps(store), "groups.csv": groups})


def everything(bundle, request: Request) -> Facts:
    """The facts of a request with every policy and every entity there is, each with all its ancestors."""
    facts = gather(bundle, request)
    gatherer = Gatherer(bundle, lambda ids: {u: bundle.entities[u] for u in ids if u in bundle.entities}, lambda: 0, {})
    entities = dict(facts.entities)
    known = {*bundle.entities, *(Uid("user", name) for name in USERS), *(Uid("Group", name) for name in GROUPS)}
    for uid in known:
        whole = gatherer.gather(ask(request._replace(subject=Thing(uid.type, uid.id))))
        entity: Entity | None = whole.entities.get(uid)
        if uid in bundle.entities and uid not in entities:
            entities[uid] = entity
    return Facts(facts.question, bundle.index.whole().needs, entities, facts.context)


def told(decision):
    return (
        decision.allowed,
        {policy.id for policy in decision.reasons},
        {(failure.policy.id, failure.why) for failure in decision.errors},
    )


@settings(max_examples=250, deadline=None)
@given(policies(), stores(), memberships(), st.lists(requests, min_size=1, max_size=4))
def test_a_slice_decides_as_the_whole(text, store, groups, questions):
    bundle = make(text, store, groups)
    for request in questions:
        whole = decide_slice(bundle.index.whole(), everything(bundle, request), "")
        assert told(decide(bundle, gather(bundle, request))) == told(whole)


@settings(max_examples=150, deadline=None)
@given(policies(), stores(), memberships(), st.lists(requests, min_size=2, max_size=8))
def test_a_batch_decides_as_its_items(text, store, groups, questions):
    bundle = make(text, store, groups)
    gatherer = Gatherer(bundle, lambda ids: {u: bundle.entities[u] for u in ids if u in bundle.entities}, lambda: 0, {})
    batch = decide_all(bundle, [gatherer.gather(ask(request)) for request in questions])
    assert [told(decision) for decision in batch] == [
        told(decide(bundle, gather(bundle, request))) for request in questions
    ]


def test_an_overlay_of_one_item_is_never_seen_by_another():
    bundle = make(
        '@id("p") permit(principal, action, resource) when { resource.next.level == 1 };',
        [{"uid": {"type": "doc", "id": "d2"}, "attrs": {"next": reference("doc", "d1")}, "parents": [], "tags": {}}],
        "",
    )
    first = Request(Thing("user", "u1"), Act("read"), Thing("doc", "d1", {"level": 1}))
    second = Request(Thing("user", "u1"), Act("read"), Thing("doc", "d2"))
    decisions = decide_all(bundle, [gather(bundle, first), gather(bundle, second)])
    # d1 is not stored: that the first item describes it is nothing the second may see
    assert [decision.allowed for decision in decisions] == [False, False]
    assert "d1" in decisions[1].errors[0].why
