"""`policy-service trail`: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import contextlib
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policy_service.audit.trail import Origin, note
from policy_service.cli import main
from policy_service.store.door import Store
from policy_service.store.tables import SERVICE
from tests.stores import KINDS, Place, make_place
from tests.unit.audit.trails import AT, change, grow, tamper

PROGRAM = Path(__file__).parents[3] / "docs" / "verify_trail.py"
SITE = tuple[Place, Store]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Files, where a test doesn't ask for both databases: what the trail does on each is tested with it."""
    with make_place(getattr(request, "param", "sqlite"), tmp_path, request) as made:
        yield made


@pytest.fixture
def site(place: Place) -> Iterator[SITE]:
    """A trail of three entries, none of them sealed yet, the last one of the command line."""
    with contextlib.closing(place.open()) as store:
        grow(store, "acme", "e-1", "e-2")
        with store.session("acme", write=True) as session:
            note(session, [change("e-3", by=Origin(), reasons=(), detail={"user": "root"})], AT + 3_600)
        yield place, store


def run(site: SITE, *arguments: str) -> Result:
    environment = site[0].settings.environment()
    return CliRunner().invoke(main, ["trail", *arguments], env=environment, catch_exceptions=False)


def spoil(site: SITE) -> None:
    tamper(*site, "UPDATE trail_entry SET body = '{}' WHERE account_id = 'acme'")


def test_show_prints_each_change_on_a_line(site: SITE) -> None:
    first, _, last = run(site, "show", "acme").stdout.splitlines()
    assert first == (
        "2026-01-01T00:00:00.250000Z  user:alice  create  entity:e-1  "
        "key k-1; from 10.0.0.1; by may-create; not sealed yet"
    )
    assert "  root at the command line  create  entity:e-3  " in last


def test_show_as_json_has_the_whole_entry(site: SITE) -> None:
    run(site, "verify", "acme")
    shown = [json.loads(line) for line in run(site, "show", "acme", "--json").stdout.splitlines()]
    assert [(entry["seq"], entry["id"], entry["by"]["subject"]) for entry in shown] == [
        (1, "e-1", "user:alice"),
        (2, "e-2", "user:alice"),
        (3, "e-3", ""),
    ]
    assert len(shown[0]["entry"]) == 32


def test_show_reads_a_part_of_time(site: SITE) -> None:
    assert len(run(site, "show", "acme", "--since", "2026-01-01T00:30:00Z").stdout.splitlines()) == 1
    assert len(run(site, "show", "acme", "--until", "2026-01-01T00:30:00Z").stdout.splitlines()) == 2
    nothing = run(site, "show", "globex")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "no change in the trail of `globex`" in nothing.stderr


def test_what_a_change_holds_can_not_write_lines_or_steer_the_terminal(site: SITE) -> None:
    place, store = site
    odd = "a\n\x1b[2J\x9b[red]x"
    with store.session("globex", write=True) as session:
        note(session, [change(odd, action=odd, by=Origin(odd, odd, odd, odd), reasons=(odd,))], AT)
    tamper(place, store, "INSERT INTO trail_entry VALUES ('globex', 'x', 'odd\n\x1b[2J')", account="globex")
    first, second = run(site, "show", "globex").stdout.splitlines()
    assert "\x1b" not in first + second
    assert "entity:a\\n\\x1b[2J\\x9b[red]x" in first
    assert "unreadable: odd\\n\\x1b[2J" in second
    assert not {"\x1b", "\x9b"} & set(run(site, "show", "globex", "--json").stdout)
    report = run(site, "verify", "globex")
    assert (report.exit_code, report.stdout.count("\n")) == (0, 1)


def test_verify_seals_and_says_that_all_is_whole(site: SITE) -> None:
    result = run(site, "verify", "acme")
    assert (result.exit_code, result.stdout) == (0, "the trail of acme is whole: 3 entries, 3 links, 1 heads\n")


def test_verify_says_what_is_wrong(site: SITE) -> None:
    run(site, "verify", "acme")
    spoil(site)
    result = run(site, "verify", "acme")
    assert result.exit_code == 1
    assert result.stdout.startswith("link 1: it or its entry `")
    assert result.stdout.endswith("the trail of acme is not what was written: 3 entries, 3 links, 1 heads\n")
    report = json.loads(run(site, "verify", "acme", "--json").stdout)
    assert (report["sound"], report["head"]["head"]) == (False, 3)
    assert report["problems"][0]["place"] == "link 1"


def test_verify_tells_of_a_broken_end_and_looks_all_the_same(site: SITE) -> None:
    run(site, "verify", "acme")
    grow(site[1], "acme", "e-4")
    tamper(*site, "DELETE FROM trail_head WHERE account_id = 'acme'")
    result = run(site, "verify", "acme")
    assert result.exit_code == 1
    assert "does not end as its last head says" in result.stderr
    assert result.stdout.endswith("4 entries, 3 links, 0 heads, 1 not sealed yet\n")


def test_a_head_that_was_kept_elsewhere_shows_a_trail_that_was_cut_off(site: SITE, tmp_path: Path) -> None:
    kept = tmp_path / "acme.heads"
    kept.write_text(run(site, "head", "acme").stdout)
    assert run(site, "verify", "acme", "--head", str(kept)).exit_code == 0
    tables = ("trail_link", "trail_head", "trail_entry")
    tamper(*site, *(f"DELETE FROM {table} WHERE account_id = 'acme'" for table in tables))
    assert run(site, "verify", "acme").exit_code == 0
    result = run(site, "verify", "acme", "--head", str(kept))
    assert result.exit_code == 1
    assert "published head 3: there is no link 3 any more: the trail was cut off" in result.stdout
    assert run(site, "verify", "globex", "--head", str(kept)).exit_code == 2


@pytest.mark.parametrize("place", KINDS, indirect=True)
def test_an_export_is_verified_without_the_service(site: SITE, tmp_path: Path) -> None:
    out = tmp_path / "acme.trail"
    assert run(site, "export", "acme", "--out", str(out)).exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    done = subprocess.run([sys.executable, str(PROGRAM), str(out)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("the trail of 'acme' holds: 3 entries, 1 heads\n")
    assert run(site, "export", "acme", "--out", "-").stdout.splitlines()[1:] == out.read_text().splitlines()[1:]
    assert run(site, "verify", "acme", "--head", str(out)).exit_code == 0


def test_an_export_that_fails_leaves_nothing(site: SITE, tmp_path: Path) -> None:
    out = tmp_path / "acme.trail"
    assert run(site, "export", "nobody", "--out", str(out)).exit_code == 1
    result = run(site, "export", "acme", "--out", str(tmp_path / "no" / "such"))
    assert result.exit_code == 2
    assert "can't be written: no such file or directory" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if "acme" in path.name] == []


def test_the_service_has_a_trail_of_its_own(site: SITE) -> None:
    with site[1].session(SERVICE, write=True) as session:
        note(session, [change("acme", kind="tenant")], AT)
    assert "tenant:acme" in run(site, "show", "--service").stdout
    assert run(site, "verify", "--service").stdout.startswith("the trail of @service is whole: 1 entries")


def test_an_empty_trail_has_no_head(site: SITE) -> None:
    result = run(site, "head", "globex")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "the trail of `globex` is empty\n")


@pytest.mark.parametrize("arguments", [["show"], ["verify", "acme", "--service"], ["export", "acme"]], ids=" ".join)
def test_a_call_that_says_too_little_or_too_much_is_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, ["trail", *arguments]).exit_code == 2


@pytest.mark.parametrize("command", ["show", "verify", "export --out x", "head"])
def test_a_look_into_the_wrong_folder_makes_no_store(tmp_path: Path, command: str) -> None:
    data = tmp_path / "data"
    result = CliRunner().invoke(main, ["trail", *command.split(), "--service", "--data", str(data)])
    assert result.exit_code == 2
    assert f"there is no store in {data}, name the data folder of `serve` with --data" in result.stderr
    assert not data.exists()


def test_the_keyring_is_where_it_is_said_to_be(site: SITE, tmp_path: Path) -> None:
    place, _ = site
    elsewhere = tmp_path / "elsewhere.json"
    (place.settings.data / "keyring.json").rename(elsewhere)
    assert "there is no" in run(site, "show", "acme").stderr
    assert run(site, "show", "acme", "--keyring", str(elsewhere)).exit_code == 0
