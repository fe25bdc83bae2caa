"""Exports: all that a tenant owns, at one moment, in lines that tell what they are."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from policy_service.errors import NoStore
from policy_service.store.door import Store
from policy_service.store.tables import EntityRow
from policy_service.tenancy import copies, exporting
from policy_service.tenancy.creating import create
from policy_service.tenancy.suspending import suspend
from tests.unit.tenancy.estates import LINES, Estate, acts


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[Any]:
    return [line[kind] for line in lines if kind in line]


@pytest.fixture
def exported(estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The lines of a furnished tenant, read in pages of two."""
    for module in (copies, exporting):
        monkeypatch.setattr(module, "PAGE", 2)
    estate.furnish(owner, "acme")
    estate.export(owner, "acme", estate.root / "acme.ndjson")
    return read(estate.root / "acme.ndjson")


def test_it_tells_what_it_is(exported: list[dict[str, Any]]) -> None:
    header = exported[0]
    assert header["format"] == "policy-service tenant v1"
    assert (header["tenant"], header["restricted"], header["schema"]) == ("acme", ["ssn"], "tenant_0002")
    assert list(header["keys"]) == ["1"]


def test_assets_are_as_the_api_shows_them_deleted_ones_too(exported: list[dict[str, Any]]) -> None:
    entities = {entity["_key"]: entity for entity in of_kind(exported, "entity")}
    assert entities.keys() == {"host-1", "host-2", "team-1"}
    sent = {name: value for name, value in LINES[1].items() if name not in ("_class", "names")}
    assert {name: entities["host-1"][name] for name in sent} == sent
    assert entities["host-1"]["names"] == ["a", "b"]
    assert entities["host-1"]["_class"] == ["Device", "Host"]
    assert entities["team-1"]["_version"] == 2
    gone = entities["host-2"]
    assert (gone["_deleted"], gone["_endOn"], gone["_class"]) == (True, 1_800_000_000_000, [])
    assert "ssn" not in gone
    (edge,) = of_kind(exported, "relationship")
    assert (edge["_fromEntityId"], edge["_toEntityId"]) == (entities["team-1"]["_id"], entities["host-1"]["_id"])
    assert edge["ssn"] == "078-05-1120"


def test_restricted_properties_are_opened(exported: list[dict[str, Any]], owner: Store) -> None:
    if owner.backend == "postgresql":
        with owner.session("acme") as session:
            stored = session.scalars(select(EntityRow.sealed).where(EntityRow.key == "host-1")).one()
        assert stored is not None
        assert "078-05-1120" not in json.dumps(stored)
    (host,) = [entity for entity in of_kind(exported, "entity") if entity["_key"] == "host-1"]
    assert host["ssn"] == "078-05-1120"


def test_the_trail_is_sealed_first_and_all_there(exported: list[dict[str, Any]]) -> None:
    entries, links, heads = (of_kind(exported, kind) for kind in ("entry", "link", "head"))
    bodies = [json.loads(entry["body"]) for entry in entries]
    assert [body["action"] for body in bodies if body["kind"] == "tenant"] == ["create", "import", "import"]
    assert bodies[-1]["action"] == "delete"
    assert sorted(link["entry"] for link in links) == sorted(entry["id"] for entry in entries)
    assert heads[-1]["seq"] == len(links) == len(entries)


def test_the_manifest_counts_and_digests_each_kind_and_the_whole(estate: Estate, exported: list[Any]) -> None:
    lines = (estate.root / "acme.ndjson").read_bytes().splitlines(keepends=True)
    manifest = exported[-1]["manifest"]
    assert manifest["digest"] == hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    for kind, digest in manifest["digests"].items():
        mine = [line for line in lines[1:-1] if line.startswith(f'{{"{kind}":'.encode())]
        assert manifest["counts"][kind] == len(mine) > 0
        assert digest == hashlib.sha256(b"".join(mine)).hexdigest()


def test_that_it_was_done_is_in_the_service_s_trail(exported: list[Any], owner: Store) -> None:
    assert [action for action, _ in acts(owner)] == ["create", "export"]
    assert [action for action, _ in acts(owner, "acme")] == ["create", "import", "import"]


def test_it_is_one_moment(estate: Estate, owner: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.furnish(owner, "acme")
    first = estate.export(owner, "acme", estate.root / "first.ndjson")
    real, edited = exporting.read_assets, []

    def edit_meanwhile(*given: Any) -> Any:
        if not edited:
            with estate.owner() as other:
                edited.append(estate.import_(other, "acme", estate.write_lines({**LINES[2], "_key": "late"})))
        return real(*given)

    monkeypatch.setattr(exporting, "read_assets", edit_meanwhile)
    meanwhile = estate.export(owner, "acme", estate.root / "meanwhile.ndjson")
    assert edited
    assert meanwhile["counts"] == first["counts"]
    assert meanwhile["digests"] == first["digests"]


def test_a_suspended_tenant_and_one_with_broken_policies_are_exported(estate: Estate, owner: Store) -> None:
    estate.furnish(owner, "acme")
    before = estate.export(owner, "acme", estate.root / "before.ndjson")
    suspend(owner, "acme")
    estate.write("acme", "broken.cedar", "permit(")
    after = estate.export(owner, "acme", estate.root / "after.ndjson")
    assert after["digests"] == before["digests"]


def test_without_a_store_there_is_nothing_to_export(estate: Estate, owner: Store) -> None:
    create(estate.settings, owner, "globex")
    with pytest.raises(NoStore, match="`acme` has no store"):
        estate.export(owner, "acme", estate.root / "acme.ndjson")
    assert [action for action, _ in acts(owner)] == ["create"]
