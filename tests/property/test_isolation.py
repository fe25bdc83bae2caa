"""One tenant's files, groups, keys and facts never change another tenant's answer, whatever is done to it.

Both tenants hold entities, groups and policies of the same names; what is the other's is marked `of-b`.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from policy_service.errors import Unauthenticated, UnknownTenant
from policy_service.identity import keys
from policy_service.identity.base62 import checksum
from policy_service.model import Act, Request, Thing
from tests.property.test_decide import in_abac, in_casbin, rules
from tests.property.test_slices import memberships, policies, requests, stores
from tests.service.houses import House, clear, fill, tell

# each example writes folders, so a failure is told as it was found: to make it smaller would take minutes
slowly = settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NUMBER = itertools.count()
# what would tell that the other's facts or groups got in
TRAPS = """
@id("fact") permit(principal, action, resource) when { principal has mark && principal.mark == "of-b" };
@id("thing") permit(principal, action, resource) when { resource has mark && resource.mark == "of-b" };
@id("group") permit(principal in Group::"of-b", action, resource);
@id("inherited") permit(principal, action, resource in folder::"of-b");
"""
BROKEN = {
    "broken.cedar": "permit (",
    "broken.abac.json": "{",
    "x.casbin/policy.csv": "p, a",
    "entities.json": '[{"uid": "alice"}]',
    "schema.cedarschema": "entity Group;",
    "tenant.yaml": "unknown: 1\n",
    "cases/c.yaml": "cases: 1\n",
    "keys.yaml": "keys: 1\n",
    "groups.csv": "g, user:u1, group:g1, OTHER\n",
}


@dataclass(frozen=True)
class Files:
    """A tenant's files, of which only the mark and the tenant's name are not drawn."""

    cedar: str
    abac: dict[str, str]
    casbin: dict[str, str]
    store: list[dict[str, Any]]
    groups: str

    def write(self, tenant: str, mark: str) -> dict[str, str]:
        store = [{**entity, "attrs": {**entity["attrs"], "mark": mark}} for entity in self.store]
        if mark == "of-b":
            folder = {"uid": {"type": "folder", "id": "of-b"}, "attrs": {}, "parents": [], "tags": {}}
            for entity in store:
                entity["parents"] = [*entity["parents"], folder["uid"]]
            store.append(folder)
        lines = self.groups.replace(", acme\n", f", {tenant}\n")
        if mark == "of-b":
            lines += "".join(f"g, group:{name}, group:of-b, {tenant}\n" for name in ("g1", "g2", "g3"))
        return {
            "tenant.yaml": "name: x\n",
            "policies.cedar": self.cedar + (TRAPS if mark == "of-a" else ""),
            "entities.json": json.dumps(store),
            "groups.csv": lines,
            **self.abac,
            **self.casbin,
        }


tenants = st.builds(
    Files,
    policies(),
    rules().map(lambda chosen: {f"abac.{name}": text for name, text in in_abac(chosen).items()}),
    rules().map(in_casbin),
    stores(),
    memberships(),
)
more_requests = st.one_of(
    requests,
    st.builds(
        Request,
        st.builds(Thing, st.sampled_from(["user", "Group"]), st.sampled_from(["u1", "alice", "of-b"]), st.just({})),
        st.builds(Act, st.sampled_from(["read", "PolicyService::read"]), st.just({})),
        st.builds(Thing, st.sampled_from(["doc", "user"]), st.sampled_from(["d1", "u1", "of-b"]), st.just({})),
        st.just({}),
    ),
)
deeds = st.one_of(
    st.tuples(st.just("edit"), tenants),
    st.tuples(st.just("break"), st.sampled_from(sorted(BROKEN))),
    st.tuples(st.sampled_from(["remove", "link", "new key", "revoke", "same keys"]), st.none()),
)


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, House]]:
    """One house for both tenants, and one in which the first lives alone."""
    shared, alone = (House(tmp_path_factory.mktemp("house")) for _ in range(2))
    yield shared, alone
    shared.close()
    alone.close()


def do(house: House, deed: str, what: Any, tenant: str, other: str) -> None:
    """Do something to `tenant`; a tenant that was removed is made again by the next edit."""
    folder = house.folder(tenant)
    if deed == "edit":
        clear(folder)
        fill(folder, what.write(tenant, "of-b"))
    elif deed == "remove":
        clear(folder)
    elif deed == "link":
        clear(folder)
        folder.symlink_to(house.folder(other))
    elif folder.is_symlink() or not folder.exists():
        return
    elif deed == "break":
        fill(folder, {what: BROKEN[what].replace("OTHER", other)})
    elif deed == "same keys":
        (folder / "keys.yaml").write_bytes((house.folder(other) / "keys.yaml").read_bytes())
    else:
        (folder / "tenant.yaml").write_text("name: x\n")
        (folder / "keys.yaml").unlink(missing_ok=True)
        house.new_key(tenant)
        if deed == "revoke":
            keys.revoke(house.settings.tenants, tenant, keys.entries(house.settings.tenants, tenant)[0].id)


def look(house: House, tenant: str, questions: list[Request]) -> list[Any]:
    """What a tenant is told, and what its log says of it: facts included, times not."""
    house.turn_page(f"log-{next(NUMBER)}")
    single = [house.ask(tenant, [question]) for question in questions]
    batch = house.ask(tenant, questions)
    told = [(version, [tell(decision) for decision in decisions]) for version, decisions in [*single, batch]]
    reasons = {policy for _, found in [*single, batch] for decision in found for policy in decision.reasons}
    assert not {policy.id for policy in reasons} & {"fact", "thing", "group", "inherited"}
    assert all(policy.file.startswith((f"tenants/{tenant}/", "policies/")) for policy in reasons)
    text = "".join(path.read_text() for path in sorted(house.log_folder.iterdir()))
    stored = [_tidy(record) for record in house.records()]
    # nothing marked in the facts but what the request itself names
    sent = [{**record, "facts": None} for record in stored]
    marked = [record["facts"] for record, own in zip(stored, sent, strict=True) if '"of-b"' not in json.dumps(own)]
    assert '"of-b"' not in json.dumps(marked)
    assert text.count("\n") == len(stored) == 2 * len(questions)
    return [*told, stored]


def _tidy(record: Any) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in ("time", "duration_us")}
    facts = [{**entity, "parents": sorted(entity["parents"], key=str)} for entity in record["facts"]]
    told = {name: sorted(record[name], key=str) for name in ("reasons", "errors")}
    return {**kept, **told, "facts": sorted(facts, key=lambda entity: str(entity["uid"]))}


@slowly
@given(tenants, tenants, st.lists(more_requests, min_size=1, max_size=4), st.lists(deeds, min_size=1, max_size=4))
def test_nothing_done_to_one_tenant_changes_anothers_answers(houses, own, others, questions, done):
    shared, alone = houses
    number = next(NUMBER)
    a, b = f"a{number}", f"b{number}"
    try:
        for house in houses:
            fill(house.folder(a), own.write(a, "of-a"))
        key = shared.new_key(a)
        # the other one first: what it leaves behind in the process is there when the first is asked
        fill(shared.folder(b), others.write(b, "of-b"))
        shared.ask(b, questions)
        seen = look(shared, a, questions)
        expected = look(alone, a, questions)
        assert seen == expected
        for deed, what in done:
            do(shared, deed, what, b, a)
            assert look(shared, a, questions) == expected
            shared.take(b)
            shared.try_to_ask(b, questions)
            assert look(shared, a, questions) == expected
            assert shared.find(key, a).tenant == a
        # held no longer, and loaded beside whatever the other is by now
        shared.bundles.entries.drop(a)
        assert look(shared, a, questions) == expected
    finally:
        for house in houses:
            for tenant in (a, b):
                clear(house.folder(tenant))
                house.bundles.entries.drop(tenant)


@slowly
@given(st.lists(st.sampled_from(["new", "revoke", "same keys", "broken", "remove"]), max_size=5))
def test_no_key_of_one_tenant_opens_another(houses, done):
    house = houses[0]
    number = next(NUMBER)
    a, b = f"a{number}", f"b{number}"
    for tenant in (a, b):
        fill(house.folder(tenant), {"tenant.yaml": "name: x\n"})
    try:
        own, foreign = house.new_key(a), [house.new_key(b)]
        for deed in done:
            if deed == "new":
                fill(house.folder(b), {"tenant.yaml": "name: x\n"})
                (house.folder(b) / "keys.yaml").unlink(missing_ok=True)
                foreign.append(house.new_key(b))
            elif deed == "broken":
                fill(house.folder(b), {"keys.yaml": "keys: 1\n"})
            elif deed == "remove":
                clear(house.folder(b))
            elif house.folder(b).exists():
                do(house, deed, None, b, a)
            assert house.find(own).tenant == house.find(own, a).tenant == a
            wrong = [(own, b), (_rename(own, a, b), b), (_rename(own, a, b), None)]
            for each in foreign:
                wrong += [(each, a), (_rename(each, b, a), a), (_rename(each, b, a), None)]
            for token, named in wrong:
                with pytest.raises(Unauthenticated):
                    house.find(token, named)
    finally:
        clear(house.folder(a))
        clear(house.folder(b))


def _rename(token: str, tenant: str, other: str) -> str:
    """The key as if it were the other tenant's, checksum included."""
    text = token.replace(f"psk_{tenant}_", f"psk_{other}_").rpartition("_")[0]
    return f"{text}_{checksum(text)}"


def test_what_is_done_while_it_is_watched_changes_nothing_either(tmp_path: Path) -> None:
    house = House(tmp_path, watch=True)
    try:
        policy = '@id("p") permit(principal, action, resource) when { resource.level == 1 };\n'
        store = [{"uid": {"type": "doc", "id": "d1"}, "attrs": {"level": 1}, "parents": []}]
        files = {"tenant.yaml": "name: x\n", "p.cedar": policy, "entities.json": json.dumps(store)}
        for tenant in ("acme", "other"):
            fill(house.folder(tenant), files)
        request = Request(Thing("user", "u1"), Act("read"), Thing("doc", "d1"))
        expected, bundle = house.ask("acme", [request]), house.bundles.current("acme")
        house.ask("other", [request])
        fill(house.folder("other"), {"entities.json": "[]", "q.cedar": policy.replace('"p"', '"q"')})
        _wait(lambda: not house.ask("other", [request])[1][0].allowed)
        fill(house.folder("other"), {"q.cedar": "permit ("})
        _wait(lambda: any(s.tenant == "other" and s.last_error for s in house.bundles.status()))
        clear(house.folder("other"))
        _wait(lambda: _is_gone(house, "other"))
        assert house.ask("acme", [request]) == expected
        # the very same bundle: one tenant's files rebuild that tenant alone
        assert house.bundles.current("acme") is bundle
    finally:
        house.close()


def _is_gone(house: House, tenant: str) -> bool:
    try:
        house.bundles.current(tenant)
    except UnknownTenant:
        return True
    return False


def _wait(holds: Any) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
