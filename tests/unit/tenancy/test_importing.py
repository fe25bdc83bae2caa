"""Lines that somebody wrote, imported: all of them or none."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from policy_service.assets import entities, relationships
from policy_service.assets.asset import Asset
from policy_service.assets.inventory import open_inventory
from policy_service.audit.trail_pages import read_entries
from policy_service.errors import NoStore, Refused, UnknownTenant
from policy_service.store.door import Store
from policy_service.tenancy import importing
from policy_service.tenancy.creating import create
from policy_service.tenancy.suspending import suspend
from tests.unit.tenancy.estates import LINES, Estate, acts


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PAGE", 2)


@pytest.fixture
def acme(estate: Estate, owner: Store) -> Store:
    create(estate.settings, owner, "acme")
    return owner


def find(estate: Estate, store: Store, key: str, source: str = "cmdb") -> Asset | None:
    with store.session("acme") as session:
        inventory = open_inventory(store, session, estate.bundle("acme"))
        return entities.find_by_key(inventory, source, "", key) or relationships.find_by_key(inventory, source, "", key)


def test_relationships_may_come_before_their_entities(estate: Estate, acme: Store) -> None:
    done = estate.import_(acme, "acme", estate.write_lines(*LINES, "", "  "))
    assert done.counts == {"entity created": 3, "relationship created": 1}
    edge, host = find(estate, acme, "team-owns-1"), find(estate, acme, "host-1")
    assert edge is not None
    assert host is not None
    assert edge.to == host.uid
    assert host.properties["names"] == ["a", "b"]
    assert host.tags == {"env": "production"}


def test_a_line_without_a_source_is_the_api_s(estate: Estate, acme: Store) -> None:
    estate.import_(acme, "acme", estate.write_lines({"_key": "a", "_type": "host", "_class": "Host"}))
    assert find(estate, acme, "a", source="api") is not None


def test_again_it_changes_what_is_other_and_nothing_else(estate: Estate, acme: Store) -> None:
    estate.import_(acme, "acme", estate.write_lines(*LINES))
    edited = [{**LINES[1], "cores": 8}, *LINES[2:], {**LINES[2], "_key": "host-3"}, LINES[0]]
    done = estate.import_(acme, "acme", estate.write_lines(*edited))
    assert done.counts == {
        "entity updated": 1,
        "entity unchanged": 2,
        "entity created": 1,
        "relationship unchanged": 1,
    }
    host = find(estate, acme, "host-1")
    assert host is not None
    assert (host.version, host.properties["cores"]) == (2, 8)


def test_raw_data_is_dropped_and_counted(estate: Estate, acme: Store) -> None:
    path = estate.write_lines({**LINES[1], "_rawData": [{"a": 1}, {"b": 2}]})
    assert estate.import_(acme, "acme", path).dropped == 2


def test_the_trail_tells_file_counts_and_what_changed(estate: Estate, acme: Store) -> None:
    path = estate.write_lines(*LINES)
    estate.import_(acme, "acme", path)
    action, detail = acts(acme, "acme")[-1]
    ids = [asset.id for key in ("host-1", "host-2", "team-1", "team-owns-1") if (asset := find(estate, acme, key))]
    bodies = [json.loads(entry.body) for entry in read_entries(acme, "acme", 0, None)]
    changes = [body for body in bodies if body["kind"] != "tenant"]
    assert [(body["action"], body["id"], body["before"]) for body in changes] == [("create", id_, None) for id_ in ids]
    assert all(re.fullmatch(r"[0-9a-f]{64}", body["after"]) for body in changes)
    assert len({body["by"]["request"] for body in changes}) == 1
    assert action == "import"
    assert detail["file"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert detail["counts"] == {"entity created": 3, "relationship created": 1}
    assert detail["version"] == estate.bundle("acme").version_text
    assert "078-05-1120" not in "".join(entry.body for entry in read_entries(acme, "acme", 0, None))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", r"invalid JSON"),
        ("[]", r"a line is a JSON object"),
        ('{"_key": "a", "_key": "b"}', r"stands twice"),
        ('{"_key": "a", "_type": "host"}', r"`_class` is missing"),
        ('{"_key": "a", "_type": "Group", "_class": "C"}', r"only the service makes"),
        ('{"_key": "a", "_type": "host", "_class": "C", "a": {"b": 1}}', r"`a` is nested"),
        ('{"_key": "host-1", "_type": "host", "_class": "C", "_source": "cmdb"}', r"stands in the file before"),
        ('{"_key": "host-1", "_type": "disk", "_class": "C", "_source": "cmdb"}', r"the `_type` `host`, which stays"),
        ('{"_key": "r", "_type": "r", "_class": "R", "_fromEntityKey": "host-1"}', r"`_toEntityKey` is missing"),
        (
            '{"_key": "r", "_type": "r", "_class": "R", "_source": "cmdb", "_fromEntityKey": "host-1", '
            '"_toEntityKey": "nobody"}',
            r"no entity `nobody`",
        ),
        ('{"_key": "a", "_type": "person", "_class": "C"}', r"is one of tenants/acme/entities\.json"),
    ],
)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_bad_line_is_named_and_nothing_is_imported(estate: Estate, acme: Store, line: str, sentence: str) -> None:
    estate.write("acme", "entities.json", '[{"uid": {"type": "person", "id": "p"}, "attrs": {}, "parents": []}]')
    path = estate.write_lines(*LINES, line)
    with pytest.raises(Refused, match=rf"lines\.ndjson:5: .*{sentence}"):
        estate.import_(acme, "acme", path)
    assert find(estate, acme, "host-1") is None
    assert [action for action, _ in acts(acme, "acme")] == ["create"]


def test_nothing_is_imported_on_either_database(estate: Estate, acme: Store) -> None:
    with pytest.raises(Refused, match=r"lines\.ndjson:5"):
        estate.import_(acme, "acme", estate.write_lines(*LINES, "{"))
    assert find(estate, acme, "host-1") is None


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_file_that_moves_under_the_reader_is_refused(
    estate: Estate, acme: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = estate.write_lines(*LINES)
    real = importing._Lines.write

    def write(self: importing._Lines, kind: importing.Kind, report: importing.Report) -> None:
        real(self, kind, report)
        path.write_text(path.read_text().replace("2020", "2021"))

    monkeypatch.setattr(importing._Lines, "write", write)
    with pytest.raises(Refused, match="changed while it was read"):
        estate.import_(acme, "acme", path)
    assert find(estate, acme, "host-1") is None


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_without_an_open_store_lines_go_nowhere(estate: Estate, owner: Store) -> None:
    path = estate.write_lines(*LINES)
    with pytest.raises(UnknownTenant):
        estate.import_(owner, "acme", path)
    estate.write("acme", "tenant.yaml", "name: T\n")
    with pytest.raises(NoStore, match="policy-service tenant create"):
        estate.import_(owner, "acme", path)
    create(estate.settings, owner, "acme")
    suspend(owner, "acme")
    with pytest.raises(NoStore):
        estate.import_(owner, "acme", path)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_file_that_is_not_there_is_told(estate: Estate, acme: Store, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="can't be read: no such file"):
        estate.import_(acme, "acme", tmp_path / "nothing.ndjson")


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_line_that_is_an_entity_with_a_format_is_no_export(estate: Estate, acme: Store) -> None:
    line = json.dumps({"_key": "a", "_type": "disk", "_class": "Disk", "format": "ext4"})
    assert estate.import_(acme, "acme", estate.write_lines(line)).counts == {"entity created": 1}
