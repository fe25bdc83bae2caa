"""The files that ship: the platform's, the demo tenants' and the examples in the documentation hold what they say."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from policy_service.access.facts import StoredFacts
from policy_service.access.ownership import Owners
from policy_service.cli.demo_tries import find_host
from policy_service.config import Settings
from policy_service.model import Act, Decision, Effect, Engine, Request, Thing, Version
from policy_service.policy import trials
from policy_service.policy.bundle import Bundle, join
from policy_service.policy.decide import decide
from policy_service.policy.files import Layer, parse_layer
from policy_service.policy.gathering import Gatherer
from policy_service.policy.request import ask
from policy_service.policy.scope import LIMITS, Scope
from policy_service.store.door import Store
from policy_service.store.opening import open_store
from policy_service.tenancy.creating import create
from policy_service.tenancy.importing import import_file

ROOT = Path(__file__).parents[2]
TENANTS = ("acme", "citadel")
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VERSION = Version("0" * 64)


def read_folder(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: text for name, text in found.items() if name != "keys.yaml"}


def read_layer(tenant: str | None) -> Layer:
    root = f"tenants/{tenant}" if tenant else "policies"
    return parse_layer(root, read_folder(ROOT / root), tenant=tenant)


PLATFORM = read_layer(None)
LAYERS = {tenant: read_layer(tenant) for tenant in TENANTS}


def make_bundle(layer: Layer) -> Bundle:
    bundle, findings = join(PLATFORM, layer, VERSION)
    assert not findings, "\n".join(map(str, findings))
    assert bundle is not None
    return bundle


def run_platform(platform: Layer) -> trials.CaseReport:
    bundle, findings = trials.platform_bundle(platform)
    assert not findings, "\n".join(map(str, findings))
    assert bundle is not None
    return trials.run(bundle)


def examples(page: str) -> dict[str, bytes]:
    """The fenced blocks of a page that name a file, as that file's text."""
    blocks = FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
    return {name: text.encode() for _, name, text in blocks if name}


def without(layer: Layer, identity: str) -> Layer:
    return replace(
        layer,
        cedar=tuple(policy for policy in layer.cedar if policy.policy.id != identity),
        abac=tuple(policy for policy in layer.abac if policy.policy.id != identity),
        casbin=tuple(policy for policy in layer.casbin if policy.policy.id != identity),
    )


def identities(layer: Layer) -> list[str]:
    return [policy.policy.id for policy in layer.policies]


def test_the_platform_loads_without_findings() -> None:
    assert not PLATFORM.findings, "\n".join(map(str, PLATFORM.findings))
    report = run_platform(PLATFORM)
    assert not report.findings, "\n".join(map(str, report.findings))
    assert report.ran == len(PLATFORM.cases) > 100


@pytest.mark.parametrize("layer", LAYERS.values(), ids=TENANTS)
def test_every_case_gets_the_answer_it_expects(layer: Layer) -> None:
    report = trials.run(make_bundle(layer))
    assert not report.findings, "\n".join(map(str, report.findings))
    assert report.ran == len(layer.cases) > 30


@pytest.mark.parametrize("identity", identities(PLATFORM))
def test_without_a_policy_of_the_platform_a_case_fails(identity: str) -> None:
    assert run_platform(without(PLATFORM, identity)).findings


@pytest.mark.parametrize(
    ("tenant", "identity"), [(tenant, identity) for tenant in TENANTS for identity in identities(LAYERS[tenant])]
)
def test_without_a_policy_of_a_tenant_a_case_fails(tenant: str, identity: str) -> None:
    assert trials.run(make_bundle(without(LAYERS[tenant], identity))).findings


def test_permits_of_the_platform_speak_of_the_services_own_actions_alone() -> None:
    permits = [policy for policy in PLATFORM.policies if policy.policy.effect is Effect.PERMIT]
    assert permits
    for policy in permits:
        assert policy.scope.action is not None
        assert {key[1].type for key in policy.scope.action} == {"PolicyService::Action"}  # type: ignore[union-attr]


def test_isolation_is_asked_of_everything() -> None:
    (isolation,) = (policy for policy in PLATFORM.cedar if policy.policy.id == "tenant-isolation")
    assert isolation.policy.effect is Effect.FORBID
    assert isolation.scope == Scope()


@pytest.mark.parametrize("layer", [PLATFORM, *LAYERS.values()], ids=["platform", *TENANTS])
def test_every_policy_has_a_name_and_says_what_it_is_for(layer: Layer) -> None:
    for policy in layer.policies:
        if policy.policy.engine is not Engine.CASBIN:
            assert ":" not in policy.policy.id, f"{policy.policy.file}:{policy.policy.line} has no id"
            assert policy.policy.message


def test_acme_has_a_policy_in_each_language_and_an_inventory() -> None:
    acme = LAYERS["acme"]
    assert {policy.policy.engine for policy in acme.policies} == set(Engine)
    for entity in acme.entities.values():
        if entity.uid.type != "user":
            assert entity.attributes.keys() >= {"key", "type", "class", "displayName", "source", "scope"}
            assert entity.attributes["type"] == entity.uid.type
    lines = [json.loads(line) for line in (ROOT / "docs/examples/acme.ndjson").read_text().splitlines()]
    types = {line["_type"] for line in lines}
    assert types == {"host", "data_store", *acme.relationships}
    assert not types & {uid.type for uid in acme.entities}


def test_citadel_knows_the_five_people_of_authzen_as_user_and_as_identity() -> None:
    people = {f"CiRmZD{letter}2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs" for letter in "AEIMQ"}
    known = {(uid.type, uid.id) for uid in LAYERS["citadel"].entities}
    assert known == {(kind, person) for kind in ("user", "identity") for person in people}


def test_the_examples_for_authors_do_what_the_page_says() -> None:
    files = {"tenant.yaml": b"name: Press\n", **examples("docs/policies.md")}
    layer = parse_layer("tenants/press", files, tenant="press")
    assert not layer.findings, "\n".join(map(str, layer.findings))
    assert {policy.policy.engine for policy in layer.policies} == set(Engine)
    report = trials.run(make_bundle(layer))
    assert not report.findings, "\n".join(map(str, report.findings))
    for identity in identities(layer):
        left = trials.run(make_bundle(without(layer, identity)))
        assert left.findings, f"no case on the page needs `{identity}`"


def test_the_page_on_groups_and_the_page_on_cases_load() -> None:
    groups = FENCE.findall((ROOT / "docs/groups.md").read_text(encoding="utf-8"))[0][2]
    own, second = (block[2] for block in FENCE.findall((ROOT / "docs/cases.md").read_text(encoding="utf-8"))[:2])
    policy = examples("docs/policies.md")["documents.cedar"]
    files = {
        "tenant.yaml": b"name: Press\n",
        "groups.csv": groups.encode(),
        "documents.cedar": policy,
        "cases/own.yaml": own.encode(),
        "cases/second.yaml": second.encode(),
    }
    layer = parse_layer("tenants/press", files, tenant="press")
    assert not layer.findings, "\n".join(map(str, layer.findings))
    bundle = make_bundle(layer)
    assert not trials.run(bundle).findings
    bob = bundle.groups.closure(next(uid for uid in bundle.groups.parents if uid.id == "bob"))
    assert {group.id for group in bob} == {"interns", "editors"}


def test_the_schema_for_authors_is_valid_beside_the_policies_of_the_page() -> None:
    blocks = FENCE.findall((ROOT / "docs/policies.md").read_text(encoding="utf-8"))
    schema = next(text for kind, name, text in blocks if kind == "cedar" and not name and "entity user" in text)
    files = {
        "tenant.yaml": b"name: Press\n",
        "schema.cedarschema": schema.encode(),
        "editors.cedar": b'permit (principal is user, action == Action::"edit", resource is document)'
        b" unless { resource has locked && resource.locked };",
    }
    make_bundle(parse_layer("tenants/press", files, tenant="press"))
    files["editors.cedar"] = files["editors.cedar"].replace(
        b"resource has locked && resource.locked", b"resource.loked"
    )
    _, findings = join(PLATFORM, parse_layer("tenants/press", files, tenant="press"), VERSION)
    assert any("loked" in finding.sentence for finding in findings)


def test_the_table_of_limits_is_the_one_in_force() -> None:
    page = (ROOT / "docs/policies.md").read_text(encoding="utf-8").split("## Limits")[1]
    stated = {
        LIMITS.file_bytes: "| one file | 8 MiB |",
        LIMITS.layer_bytes: "64 MiB, ",
        LIMITS.files: "2,000 files",
        LIMITS.policies: "| 20,000 |",
        LIMITS.policy_bytes: "64 KiB",
        LIMITS.policy_nesting: "nested 64 deep",
        LIMITS.policy_operators: "1,000 operators",
        LIMITS.group_lines: "| 1,000,000 |",
        LIMITS.json_nesting: "| 32 |",
        LIMITS.pattern_bytes: "| 1,000 bytes",
    }
    for limit, text in stated.items():
        assert text in page
        number = int(re.sub(r"\D", "", text))
        assert limit in {number, number * 1024, number * 1024 * 1024}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with the example's inventory of acme."""
    folder = tmp_path_factory.mktemp("inventory")
    shutil.copytree(ROOT / "tenants" / "acme", folder / "tenants" / "acme")
    settings = Settings(policies=ROOT / "policies", tenants=folder / "tenants", data=folder / "data")
    store = open_store(settings)
    create(settings, store, "acme")
    import_file(settings, store, "acme", ROOT / "docs/examples/acme.ndjson", lambda *_: None)
    yield store
    store.close()


def answer(tenant: str, store: Store, body: Mapping[str, object]) -> Decision:
    def thing(name: str) -> Thing:
        raw = body[name]
        assert isinstance(raw, dict)
        return Thing(raw["type"], raw["id"], raw.get("properties", {}))

    action, context = body["action"], body.get("context", {})
    assert isinstance(action, dict)
    assert isinstance(context, dict)
    request = Request(thing("subject"), Act(action["name"], action.get("properties", {})), thing("resource"), context)
    bundle = make_bundle(LAYERS[tenant])
    with StoredFacts(store, Owners(), bundle) as stored:
        return decide(bundle, Gatherer(bundle, stored.fetch, lambda: 0, {}).gather(ask(request)))


@pytest.mark.parametrize(
    ("person", "action", "host", "allowed"),
    [
        ("bob", "update", "build-1", True),
        ("bob", "update", "web-1", False),
        ("bob", "update", "etl-1", False),
        ("dana", "update", "etl-1", True),
        ("alice", "delete", "web-1", False),
        ("alice", "delete", "web-2", True),
        ("carol", "read", "web-1", True),
        ("carol", "update", "build-1", False),
    ],
)
def test_the_inventory_is_what_acme_s_policies_are_about(
    inventory: Store, person: str, action: str, host: str, allowed: bool
) -> None:
    body = {
        "subject": {"type": "user", "id": person},
        "action": {"name": f"PolicyService::{action}"},
        "resource": {"type": "host", "id": find_host(host)},
    }
    assert answer("acme", inventory, body).allowed is allowed


def test_the_first_request_of_the_readme_is_answered_as_it_says(inventory: Store) -> None:
    blocks = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    asked = next(text for kind, _, text in blocks if kind == "sh" and "/access/v1/evaluation" in text)
    answered = json.loads(next(text for kind, _, text in blocks if kind == "json"))
    body = re.search(r"-d '(.*?)'", asked, re.DOTALL)
    assert body is not None
    decision = answer("acme", inventory, json.loads(body[1]))
    assert decision.allowed is answered["decision"]
    (reason,) = decision.reasons
    shown = {"id": reason.id, "effect": str(reason.effect), "file": reason.file, "line": reason.line}
    shown |= {"message": reason.message, "engine": str(reason.engine)}
    assert answered["context"]["reasons"] == [shown]


def test_the_first_policy_of_the_readme_passes_its_case() -> None:
    files = {"tenant.yaml": b"name: First\n", **examples("README.md")}
    layer = parse_layer("tenants/first", files, tenant="first")
    assert not layer.findings, "\n".join(map(str, layer.findings))
    assert not trials.run(make_bundle(layer)).findings
    assert len(layer.cases) >= 2


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md")))
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
