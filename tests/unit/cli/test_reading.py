"""Commands that read files and the decision log: `evaluate`, `check`, `status`, `log`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from policy_service.audit.decision_log import DecisionLog
from policy_service.audit.list_records import record_list
from policy_service.audit.records import record
from policy_service.bundles.current import Bundles
from policy_service.cli import main
from policy_service.config import Settings
from policy_service.model import Act, Caller, Decision, Effect, Engine, Policy, Request, Thing
from tests.logs import open_keys, read_bodies

ROOT = Path(__file__).parents[3]
MORTY = "user:CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"
UPDATE = ["evaluate", "citadel", "--subject", MORTY, "--action", "can_update_todo", "--resource", "todo:1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's files, and a tenant whose files are broken."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("policies", "tenants"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("keys.yaml"))
    (folder / "tenants" / "broken").mkdir()
    (folder / "tenants" / "broken" / "tenant.yaml").write_text("name: Broken\n")
    (folder / "tenants" / "broken" / "x.cedar").write_text("permit (\n")
    (folder / "tenants" / "broken" / "keys.yaml").write_text("keys: 1\n")
    return folder


def run(folder: Path, *arguments: str) -> Result:
    environment = {f"POLICY_SERVICE_{name.upper()}": str(folder / name) for name in ("policies", "tenants", "data")}
    return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)


def owned_by(email: str) -> list[str]:
    return ["--resource-properties", json.dumps({"ownerID": email})]


def test_evaluate_says_allow_and_why(folder: Path) -> None:
    result = run(folder, *UPDATE, *owned_by("morty@the-citadel.com"))
    assert result.exit_code == 0
    assert result.stdout.startswith("allow\n")
    assert "todo-update-own (cedar, tenants/citadel/todo.cedar:" in result.stdout


def test_evaluate_says_deny_and_what_could_have_permitted(folder: Path) -> None:
    result = run(folder, *UPDATE, *owned_by("rick@the-citadel.com"))
    assert result.exit_code == 0
    assert result.stdout.startswith("deny\n")
    assert "todo-update-own" in result.stdout
    assert run(folder, *UPDATE, "--exit-code").exit_code == 1
    assert run(folder, *UPDATE, *owned_by("morty@the-citadel.com"), "--exit-code").exit_code == 0


def test_evaluate_for_programs(folder: Path) -> None:
    told = json.loads(run(folder, *UPDATE, *owned_by("morty@the-citadel.com"), "--json").stdout)
    assert told["decision"] is True
    assert told["reasons"][0]["id"] == "todo-update-own"
    assert told["version"]


def test_evaluate_names_what_no_policy_is_about(folder: Path) -> None:
    result = run(folder, "evaluate", "citadel", "--subject", "a:1", "--action", "fly", "--resource", "b:1")
    assert (result.exit_code, "no policy is about such a request" in result.stdout) == (0, True)


def test_evaluate_records_nothing(folder: Path) -> None:
    run(folder, *UPDATE)
    assert not (folder / "data" / "log").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "nobody", *UPDATE[2:]], "there is no tenant `nobody`"),
        (["evaluate", "broken", *UPDATE[2:]], "tenants/broken/x.cedar:"),
        ([*UPDATE, "--context", "{"], "--context"),
        ([*UPDATE, "--context", "[]"], "object"),
        ([*UPDATE, "--context", '{"now": 1}'], "`context.now`"),
        ([*UPDATE, "--subject-properties", '{"tenant": "acme"}'], "`subject.properties.tenant`"),
        ([*UPDATE[:-1], "todo"], "`type:id`"),
    ],
)
def test_evaluate_says_why_it_can_not(folder: Path, arguments: list[str], sentence: str) -> None:
    result = run(folder, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_check_of_good_files_is_0(folder: Path) -> None:
    result = run(folder, "check", str(folder / "tenants" / "acme"))
    assert result.exit_code == 0, result.output
    assert "good" in result.stdout


def test_check_of_broken_files_is_1_and_says_where(folder: Path) -> None:
    result = run(folder, "check")
    assert result.exit_code == 1
    assert any(line.startswith("tenants/broken/x.cedar:") for line in result.stdout.splitlines())
    told = json.loads(run(folder, "check", "--json").stdout)
    assert {finding["path"] for finding in told["findings"]} == {"tenants/broken/x.cedar"}
    assert told["findings"][0]["line"] >= 1
    assert told["summary"]


def test_check_says_what_lists_come_to(folder: Path) -> None:
    acme = str(folder / "tenants" / "acme")
    assert "tenants/acme: read, export: exact for " in run(folder, "check", acme).stdout
    assert "  user:alice: exact, every row is in it\n" in run(folder, "check", "--filters", acme).stdout
    told = json.loads(run(folder, "check", "--json", acme).stdout)["filters"]["acme"]
    assert {answer["action"] for answer in told} == {
        f"PolicyService::{name}" for name in ("read", "export", "readProperty")
    }
    assert told[0]["subjects"] == ["user:alice"]


def test_check_outside_of_the_folders_is_2(folder: Path, tmp_path: Path) -> None:
    assert run(folder, "check", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize("option", ["--policies", "--tenants"])
def test_check_of_a_folder_that_is_not_there_is_2(folder: Path, tmp_path: Path, option: str) -> None:
    result = run(folder, "check", option, str(tmp_path / "nowhere"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert option in result.stderr


def test_status_says_what_answers_and_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    settings = Settings(folder / "policies", folder / "tenants", tmp_path / "data")
    version = Bundles(settings).current("acme").version_text
    options = ("--data", str(settings.data))
    rows = {row["tenant"]: row for row in json.loads(run(folder, "status", "--json", *options).stdout)}
    assert set(rows) == {"@platform", "acme", "citadel", "broken"}
    assert rows["acme"]["version"] == version
    assert rows["acme"]["loaded_at"]
    assert (rows["citadel"]["version"] != "", rows["citadel"]["loaded_at"]) == (True, "")
    assert rows["broken"]["last_error"].startswith("tenants/broken/x.cedar:")
    assert rows["broken"]["keys_problem"].startswith("tenants/broken/keys.yaml:")
    text = run(folder, "status", "acme", *options).stdout
    assert version in text
    assert "broken" not in text
    assert run(folder, "status", "nobody", *options).exit_code == 2


@pytest.mark.parametrize("option", ["--policies", "--tenants"])
def test_status_of_a_folder_that_is_not_there_says_so(folder: Path, tmp_path: Path, option: str) -> None:
    """A misspelt folder would look like one without tenants."""
    result = run(folder, "status", option, str(tmp_path / "nowhere"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert option in result.stderr


PERMIT = Policy("p", Effect.PERMIT, "tenants/acme/x.cedar", 1, Engine.CEDAR)


def append(folder: Path, *bodies: dict[str, Any]) -> None:
    """Record these in the log of a data folder, sealed with the keys of its store."""
    with open_keys(folder) as keys:
        log = DecisionLog(folder / "log", keys, segment_bytes=1_000_000, keep_bytes=10_000_000, keep_days=30)
        log.write(bodies)
        log.close()


def write(folder: Path, *decisions: dict[str, Any]) -> None:
    bodies = []
    for number, told in enumerate(decisions):
        allowed = told.get("allowed", True)
        bodies.append(
            record(
                at=told.get("at", 1_700_000_000.0 + number),
                request_id=str(number),
                caller=Caller(told.get("tenant", "acme"), "k"),
                request=Request(Thing("user", told.get("subject", "alice")), Act("read"), Thing("host", "[red]1")),
                decision=Decision(allowed, (PERMIT,) if allowed else (), (), "v"),
                duration_us=1,
            )
        )
    append(folder, *bodies)


def log(folder: Path, *options: str) -> list[str]:
    result = CliRunner().invoke(main, ["log", "--data", str(folder), *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout.splitlines()


def test_log_prints_a_line_for_each_decision(tmp_path: Path) -> None:
    write(tmp_path, {}, {"allowed": False, "tenant": "citadel"})
    first, second = log(tmp_path)
    assert "allow  acme  user:alice  read  host:[red]1  p" in first
    assert "deny   citadel" in second


def test_log_filters(tmp_path: Path) -> None:
    write(tmp_path, {}, {"allowed": False}, {"subject": "bob"}, {"tenant": "citadel"})
    assert len(log(tmp_path)) == 4
    assert len(log(tmp_path, "--decision", "deny")) == 1
    assert len(log(tmp_path, "--subject", "user:bob")) == 1
    assert len(log(tmp_path, "--tenant", "citadel")) == 1
    assert len(log(tmp_path, "--since", "2023-11-14T22:13:22Z")) == 2
    assert len(log(tmp_path, "--until", "2023-11-14T22:13:22Z")) == 2
    assert log(tmp_path, "--since", "1d") == []


def test_log_for_programs(tmp_path: Path) -> None:
    write(tmp_path, {}, {"allowed": False})
    rows = [json.loads(line) for line in log(tmp_path, "--json")]
    assert [row["decision"] for row in rows] == [True, False]
    assert rows[0]["reasons"][0]["id"] == "p"


def test_log_of_no_folder_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["log", "--data", str(tmp_path / "nowhere")], catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "--data" in result.stderr


def test_log_says_where_nothing_fits(tmp_path: Path) -> None:
    write(tmp_path, {})
    result = CliRunner().invoke(main, ["log", "--data", str(tmp_path), "--tenant", "amce"], catch_exceptions=False)
    assert (result.exit_code, result.stdout, result.stderr != "") == (0, "", True)
    assert CliRunner().invoke(main, ["log", "--data", str(tmp_path)]).stderr == ""


def refuse(folder: Path, *options: str) -> str:
    """What `log` says where it can't begin."""
    result = CliRunner().invoke(main, ["log", "--data", str(folder), *options], catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


def test_log_without_its_store_says_what_is_missing(tmp_path: Path) -> None:
    """Nothing is begun anew: new keys would open none of what is there."""
    write(tmp_path / "data", {})
    shutil.copytree(tmp_path / "data" / "log", tmp_path / "copy" / "log")
    shutil.copy(tmp_path / "data" / "keyring.json", tmp_path / "copy")
    assert f"{tmp_path}/copy/store/control.db, which is missing" in refuse(tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["keyring.json", "log"]


def test_log_without_the_keyring_says_what_is_missing(tmp_path: Path) -> None:
    write(tmp_path, {})
    (tmp_path / "keyring.json").rename(tmp_path / "elsewhere.json")
    assert "keyring.json" in refuse(tmp_path)
    assert not (tmp_path / "keyring.json").exists()
    assert len(log(tmp_path, "--keyring", str(tmp_path / "elsewhere.json"))) == 1


def test_log_with_another_keyring_says_so(tmp_path: Path) -> None:
    write(tmp_path / "mine", {})
    write(tmp_path / "other", {})
    assert "key" in refuse(tmp_path / "mine", "--keyring", str(tmp_path / "other" / "keyring.json"))


def test_log_on_another_host(tmp_path: Path) -> None:
    write(tmp_path / "data", {})
    for name in ("log", "store"):
        shutil.copytree(tmp_path / "data" / name, tmp_path / "copy" / name)
    shutil.copy(tmp_path / "data" / "keyring.json", tmp_path / "copy")
    shutil.rmtree(tmp_path / "data")
    assert len(log(tmp_path / "copy")) == 1


def test_no_file_of_the_service_holds_a_body(tmp_path: Path) -> None:
    write(tmp_path, {"subject": "a-name-to-find"})
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if b"a-name-to-find" in path.read_bytes()] == []
    assert [body["subject"]["id"] for body in read_bodies(tmp_path)] == ["a-name-to-find"]


@pytest.mark.parametrize("char", ["\n", "\r", "\x1b", "\x9b", "\x00", "\u2028", "\u202e"])
def test_log_prints_one_line_whatever_an_id_holds(tmp_path: Path, char: str) -> None:
    """Whoever sends a request chooses its ids: it must not write decisions into what a person reads."""
    write(tmp_path, {"subject": f"x{char}2026-01-01T00:00:00Z  allow  acme  user:root"})
    (line,) = log(tmp_path)
    assert char not in line
    assert "user:x\\" in line
    exact = CliRunner().invoke(main, ["log", "--data", str(tmp_path), "--json"]).stdout
    assert json.loads(exact)["subject"]["id"].startswith(f"x{char}2026")


def test_log_names_nobody_for_an_item_that_could_not_be_read(tmp_path: Path) -> None:
    unread = Request(Thing("", ""), Act(""), Thing("", ""))
    told = record(
        at=1_700_000_000.0,
        request_id="1",
        caller=Caller("acme", "k"),
        request=unread,
        decision=Decision(False, (), (), "v"),
        duration_us=1,
    )
    append(tmp_path, {**told, "refused": "the item is null, send an object"})
    (line,) = log(tmp_path)
    assert line.endswith("deny   acme  -  -  -  refused: the item is null, send an object")


def test_log_says_of_a_list_how_many_rows_were_shown(tmp_path: Path) -> None:
    told = record_list(
        at=1_700_000_000.0,
        request_id="1",
        caller=Caller("acme", "k"),
        request=Request(Thing("user", "carol"), Act("PolicyService::list"), Thing("entity", "")),
        version="v",
        duration_us=1,
        facts="[]",
        context_used=b"{}",
        examined=["a", "b", "c"],
        shown=["b"],
    )
    append(tmp_path, told)
    (line,) = log(tmp_path)
    assert line.endswith("allow  acme  user:carol  PolicyService::list  entity:  1 rows shown, 2 withheld")


def test_log_refuses_what_is_no_subject(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["log", "--data", str(tmp_path), "--subject", "alice"])
    assert (result.exit_code, "`user:alice`" in result.stderr) == (2, True)


@pytest.mark.parametrize("time", ["yesterday", "5y", "99999999999d", ""])
def test_log_refuses_what_is_no_time(tmp_path: Path, time: str) -> None:
    result = CliRunner().invoke(main, ["log", "--data", str(tmp_path), "--since", time])
    assert result.exit_code == 2
    assert "2h" in result.stderr
