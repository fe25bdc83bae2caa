"""Exports imported: an equal store, whose trail goes on; what is not whole changes nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from policy_service.assets import entities
from policy_service.assets.inventory import open_inventory
from policy_service.audit.sealer import seal
from policy_service.audit.trail_check import verify
from policy_service.config import Settings
from policy_service.errors import Conflict, Refused
from policy_service.store.control import State
from policy_service.store.door import Store
from policy_service.store.lives import begin_store
from policy_service.store.tables import BlindRow, ElementRow, EntityRow, TrailHeadRow
from policy_service.tenancy import copies, restoring
from policy_service.tenancy.creating import create
from policy_service.tenancy.erasing import erase
from policy_service.tenancy.lines import Tally, kind_of
from policy_service.tenancy.suspending import suspend
from tests.stores import KINDS, Place, make_place
from tests.unit.assets.inventories import find_equal
from tests.unit.tenancy.estates import LINES, SETTINGS, Estate, acts, make_estate


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The export of a furnished tenant, made elsewhere."""
    folder = tmp_path_factory.mktemp("export")
    elsewhere = make_estate(Place("sqlite", Settings(data=folder / "data")), folder)
    with elsewhere.owner() as store:
        elsewhere.furnish(store, "acme")
        elsewhere.export(store, "acme", folder / "acme.ndjson")
    return (folder / "acme.ndjson").read_bytes()


@pytest.fixture
def exported(estate: Estate, export: bytes) -> Path:
    """The file, and the tenant's folder, which was brought along."""
    estate.write("acme", "tenant.yaml", SETTINGS)
    path = estate.root / "acme.ndjson"
    path.write_bytes(export)
    return path


def manifest_of(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_bytes().splitlines()[-1])["manifest"]
    return told


def rewrite(path: Path, change: Callable[[list[bytes]], None]) -> None:
    """Change the lines of an export, and make the manifest anew, as someone who wants to be believed would."""
    lines = path.read_bytes().splitlines(keepends=True)[:-1]
    change(lines)
    tally = Tally()
    tally.take(lines[0])
    for line in lines[1:]:
        tally.take(line, kind_of(line, "", 0))
    path.write_bytes(b"".join(lines) + json.dumps({"manifest": tally.manifest()}, separators=(",", ":")).encode())


def test_the_store_is_equal(estate: Estate, owner: Store, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (copies, restoring):
        monkeypatch.setattr(module, "PAGE", 2)
    done = estate.import_(owner, "acme", exported)
    assert not done.already
    assert done.counts == manifest_of(exported)["counts"]
    again = estate.export(owner, "acme", estate.root / "again.ndjson")
    for name in ("counts", "digests"):
        assert again[name] == manifest_of(exported)[name]
    assert [action for action, _ in acts(owner)][-2:] == ["import", "export"]


def test_what_is_derived_from_assets_is_there_too(estate: Estate, owner: Store, exported: Path) -> None:
    estate.import_(owner, "acme", exported)
    with owner.session("acme") as session:
        inventory = open_inventory(owner, session, estate.bundle("acme"))
        host = entities.find_by_key(inventory, "cmdb", "", "host-1")
        assert host is not None
        elements = session.execute(select(ElementRow.name, ElementRow.value).where(ElementRow.id == host.id)).all()
        sets = [(".names[]", '"a"'), (".names[]", '"b"')]
        assert sorted(map(tuple, elements)) == [*sets, ("class", '"Device"'), ("class", '"Host"')]
        if owner.backend == "postgresql":
            assert find_equal(inventory, "ssn", "078-05-1120") == [host.id]
            row = session.execute(select(EntityRow.properties, EntityRow.sealed).where(EntityRow.id == host.id)).one()
            assert "ssn" not in row.properties
            assert set(row.sealed) == {"ssn"}
            assert len(session.scalars(select(BlindRow.id)).all()) == 1


def test_what_was_sealed_there_is_sealed_here_without_the_folder(estate: Estate, owner: Store, exported: Path) -> None:
    estate.write("acme", "tenant.yaml", "name: T\n")  # says nothing of restricted properties
    estate.import_(owner, "acme", exported)
    with owner.session("acme") as session:
        row = session.execute(select(EntityRow.properties, EntityRow.sealed).where(EntityRow.key == "host-1")).one()
    assert ("ssn" in row.properties) is (owner.backend == "sqlite")


def test_the_trail_goes_on_from_what_was_signed_elsewhere(estate: Estate, owner: Store, exported: Path) -> None:
    estate.import_(owner, "acme", exported)
    report = verify(owner, "acme")
    links = report.links
    assert (report.problems, links > 0, report.unsealed) == ((), True, 0)
    estate.import_(owner, "acme", estate.write_lines(LINES[2]))
    assert seal(owner, "acme") == 0  # the import has sealed it
    report = verify(owner, "acme")
    # the file and what it changed
    assert (report.problems, report.links, report.unsealed) == ((), links + 2, 0)


# nobody can change a head of a file
@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_key_that_did_not_come_with_the_export_verifies_nothing(estate: Estate, owner: Store, exported: Path) -> None:
    estate.import_(owner, "acme", exported)
    with owner.databases.session("acme", write=True) as session:
        first = session.scalars(select(TrailHeadRow).order_by(TrailHeadRow.seq)).first()
        assert first is not None
        forged = first.signature[:-1] + bytes([first.signature[-1] ^ 1])
        session.execute(update(TrailHeadRow).where(TrailHeadRow.seq == first.seq).values(signature=forged))
    assert next(problem.place for problem in verify(owner, "acme").problems) == f"head {first.seq}"


def test_an_import_of_an_import_is_equal_too(estate: Estate, owner: Store, exported: Path) -> None:
    estate.import_(owner, "acme", exported)
    estate.import_(owner, "acme", estate.write_lines(LINES[2]))
    second = estate.root / "second.ndjson"
    digests = estate.export(owner, "acme", second)["digests"]
    assert list(json.loads(second.read_bytes().splitlines()[0])["keys"]) == ["1", "2"]
    erase(estate.settings, owner, "acme")
    estate.import_(owner, "acme", second)
    assert owner.keys.active("acme").version == 3
    assert verify(owner, "acme").problems == ()
    assert estate.export(owner, "acme", estate.root / "third.ndjson")["digests"] == digests


def test_imported_twice_it_is_there_already(estate: Estate, owner: Store, exported: Path) -> None:
    estate.import_(owner, "acme", exported)
    assert estate.import_(owner, "acme", exported).already
    suspend(owner, "acme")
    assert estate.import_(owner, "acme", exported).already


def test_over_another_store_it_is_refused(estate: Estate, owner: Store, exported: Path) -> None:
    create(estate.settings, owner, "acme")
    with pytest.raises(Conflict, match="`acme` has a store that is not the exported one"):
        estate.import_(owner, "acme", exported)
    assert len(acts(owner, "acme")) == 1


def test_what_a_killed_run_left_is_not_in_the_way(estate: Estate, owner: Store, exported: Path) -> None:
    begin_store(owner, "acme")
    with owner.databases.session("acme", write=True) as session:
        values = {"id": "1", "type": "t", "key": "k", "source": "s", "scope": "", "properties": {}, "tags": {}}
        session.add(EntityRow(**values, version=1, created_on=1, begin_on=1, deleted=False, classes=[]))
    estate.import_(owner, "acme", exported)
    again = estate.export(owner, "acme", estate.root / "again.ndjson")
    assert again["digests"] == manifest_of(exported)["digests"]


def cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"cores":4', b'"cores":5'))


def leave_out(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))


def add_after(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"entity":{}}\n')


def change_format(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"tenant v1", b"tenant v2"))


def unlink_entry(path: Path) -> None:
    rewrite(path, lambda lines: lines.remove(next(line for line in lines if line.startswith(b'{"entry"'))))


def change_entry(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"user:alice", b"user:eve"))
    rewrite(path, lambda _: None)


def change_key(path: Path) -> None:
    other = b'"1":"' + b"00" * 32 + b'"'
    rewrite(path, lambda lines: lines.__setitem__(0, re.sub(rb'"1":"[0-9a-f]{64}"', other, lines[0])))


def take_link(path: Path) -> None:
    """The last one, of which a head tells."""
    rewrite(path, lambda lines: lines.remove([line for line in lines if line.startswith(b'{"link"')][-1]))


def double(path: Path) -> None:
    rewrite(path, lambda lines: lines.insert(2, lines[1]))


def move_id(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"_key":"host-1"', b'"_key":"host-x"'))
    rewrite(path, lambda _: None)


def reserve_type(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"_type":"host"', b'"_type":"Group"'))
    rewrite(path, lambda _: None)


def nest(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"cores":4', b'"cores":{"a":1}'))
    rewrite(path, lambda _: None)


def name_a_key_beyond_all(path: Path) -> None:
    # the next one would have no room in what it seals: nothing of the tenant could be recorded ever after
    rewrite(path, lambda lines: lines.__setitem__(0, lines[0].replace(b'"1":"', b'"4294967295":"')))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut, r"acme\.ndjson:\d+: the file ends without a manifest"),
        (edit, r"acme\.ndjson:\d+: the manifest tells of other lines"),
        (leave_out, r"acme\.ndjson:\d+: the manifest tells of other lines"),
        (add_after, r"acme\.ndjson:\d+: there is more after the manifest"),
        (change_format, r"acme\.ndjson:1: this is no export of the format"),
        (unlink_entry, r"acme\.ndjson(:\d+: .*lacks its entry|: link 1 of the trail)"),
        (change_entry, r"acme\.ndjson: link \d+ of the trail does not follow"),
        (change_key, r"acme\.ndjson: head 1 of the trail has a wrong signature"),
        (take_link, r"acme\.ndjson: the trail has a head without its link"),
        (double, r"acme\.ndjson:2: from here to line \d+ something stands twice"),
        (move_id, r"acme\.ndjson:\d+: `_id` is not the one of the entity `host-x`"),
        (reserve_type, r"acme\.ndjson:\d+: .*only the service makes what is of the type `Group`"),
        (nest, r"acme\.ndjson:\d+: `cores` is nested"),
        (name_a_key_beyond_all, r"acme\.ndjson:1: the header of the export can't be read"),
    ],
)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_what_is_not_whole_changes_nothing(
    estate: Estate, owner: Store, exported: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(exported)
    before = acts(owner)
    with pytest.raises(Refused, match=sentence):
        estate.import_(owner, "acme", exported)
    assert owner.look("acme") is None
    assert acts(owner) == before
    assert not (estate.settings.data / "store" / "tenants" / "acme.db").exists()


@pytest.mark.parametrize("erased", [False, True])
def test_a_database_that_refuses_a_row_is_left_as_it_was(
    estate: Estate, owner: Store, exported: Path, erased: bool
) -> None:
    if erased:
        create(estate.settings, owner, "acme")
        erase(estate.settings, owner, "acme")
    double(exported)
    with pytest.raises(Refused, match="something stands twice"):
        estate.import_(owner, "acme", exported)
    assert owner.look("acme") is (State.ERASED if erased else None)
    # without a store a tenant has a key for what is recorded of it, and none once it is erased
    assert bool(owner.key_table.read("acme")) is not erased
    assert [action for action, _ in acts(owner)] == (["create", "erase", "erased"] if erased else [])


def test_under_another_name_it_is_refused(estate: Estate, owner: Store, exported: Path) -> None:
    with pytest.raises(Refused, match="this is an export of `acme`, import it as that"):
        estate.import_(owner, "globex", exported)
    assert owner.look("globex") is None
    assert not (estate.settings.tenants / "globex").exists()


def test_a_type_of_entities_json_is_refused_and_the_file_is_named(estate: Estate, owner: Store, exported: Path) -> None:
    estate.write("acme", "entities.json", '[{"uid": {"type": "team", "id": "a"}, "attrs": {}, "parents": []}]')
    with pytest.raises(Refused, match=r"acme\.ndjson:\d+: the type `team` is one of tenants/acme/entities\.json"):
        estate.import_(owner, "acme", exported)


def test_policies_that_do_not_load_are_told_before_anything_is_made(
    estate: Estate, owner: Store, exported: Path
) -> None:
    estate.write("acme", "broken.cedar", "permit(")
    with pytest.raises(Refused, match="mend what is wrong with them") as refused:
        estate.import_(owner, "acme", exported)
    assert refused.value.findings
    assert owner.look("acme") is None


def test_a_tenant_moves_to_the_other_database_and_back(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path, seen = tmp_path / "moving.ndjson", []
    for number, kind in enumerate([*KINDS, KINDS[0]]):
        root = tmp_path / str(number)
        root.mkdir()
        with make_place(kind, root, request) as place:
            estate = make_estate(place, root)
            with estate.owner() as store:
                if number == 0:
                    estate.furnish(store, "acme")
                else:
                    estate.import_(store, "acme", path)
                seen.append(estate.export(store, "acme", path)["digests"])
                assert verify(store, "acme").problems == ()
    assert seen[0] == seen[1] == seen[2]


def test_a_whole_digest_is_of_all_lines(tmp_path: Path) -> None:
    tally = Tally()
    for line in (b"a\n", b"b\n"):
        tally.take(line)
    assert tally.manifest()["digest"] == hashlib.sha256(b"a\nb\n").hexdigest()
