"""`policy-service tenant` and `keyring rekey`: what is said, exit codes, files that are made."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policy_service.cli import main
from policy_service.config import Settings
from policy_service.store.opening import open_store

POLICIES = Path(__file__).resolve().parents[3] / "policies"
LINE = {"_key": "a", "_type": "host", "_class": "Host", "_rawData": [{"x": 1}]}


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tenants").mkdir()
    monkeypatch.setenv("POLICY_SERVICE_POLICIES", str(POLICIES))


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=given, catch_exceptions=False)


def tell(result: Result) -> str:
    """What a command that did it said beside its output."""
    assert result.exit_code == 0, result.output
    return result.stderr


@pytest.mark.parametrize(
    "command", ["create", "list", "export", "import", "erase", "suspend", "resume", "keyring rekey"]
)
def test_help_has_an_example(command: str) -> None:
    words = command.split() if " " in command else ["tenant", command]
    result = run(*words, "--help")
    assert f"policy-service {' '.join(words)}" in result.stdout.split("Example", 1)[1]


def test_a_tenant_s_life() -> None:
    assert "tenants/acme/tenant.yaml is new" in tell(run("tenant", "create", "acme"))
    Path("lines.ndjson").write_text(json.dumps(LINE))
    told = tell(run("tenant", "import", "acme", "lines.ndjson"))
    assert "1 entity created" in told
    assert "1 entries of `_rawData` were dropped" in told
    assert "is active; older ones still open the log" in tell(run("keyring", "rekey", "acme"))
    assert "1 entity" in tell(run("tenant", "export", "acme", "--out", "acme.ndjson"))
    assert "is already as acme.ndjson has it" in tell(run("tenant", "import", "acme", "acme.ndjson"))
    assert "is suspended" in tell(run("tenant", "suspend", "acme"))
    assert "was already suspended" in tell(run("tenant", "suspend", "acme"))
    assert run("tenant", "list").stdout.startswith("acme                      suspended")
    assert "is active" in tell(run("tenant", "resume", "acme"))
    told = tell(run("tenant", "erase", "acme", "--yes"))
    assert "1 entities, 0 relationships" in told
    assert "can't be opened any more" in told
    assert "tenants/acme is left, and decides nothing" in told
    assert "was erased before" in tell(run("tenant", "erase", "acme", "--yes"))
    told = tell(run("tenant", "import", "acme", "acme.ndjson"))
    assert "1 entity," in told
    shown = [json.loads(line) for line in run("tenant", "list", "--counts", "--json").stdout.splitlines()]
    assert [(row["name"], row["state"], row["entities"], row["folder"]) for row in shown] == [
        ("acme", "active", 1, True)
    ]


def test_erasing_asks_for_the_name() -> None:
    run("tenant", "create", "acme")
    refused = run("tenant", "erase", "acme", given="amce\n")
    assert refused.exit_code == 2
    assert "nothing was erased" in refused.stderr
    assert "acme                      active" in run("tenant", "list").stdout
    assert "is erased" in tell(run("tenant", "erase", "acme", given="acme\n"))


def test_an_export_is_its_owner_s_alone_and_whole_or_not_at_all() -> None:
    run("tenant", "create", "acme")
    run("tenant", "export", "acme", "--out", "acme.ndjson")
    assert stat.S_IMODE(os.stat("acme.ndjson").st_mode) == 0o600
    result = run("tenant", "export", "acme", "--out", "-")
    assert json.loads(result.stdout.splitlines()[0])["tenant"] == "acme"
    assert run("tenant", "export", "globex", "--out", "globex.ndjson").exit_code == 1
    assert sorted(path.name for path in Path().glob("*.ndjson*")) == ["acme.ndjson"]
    assert run("tenant", "export", "acme", "--out", "nowhere/acme.ndjson").exit_code == 2


def test_what_a_killed_export_left_is_removed_by_the_next() -> None:
    run("tenant", "create", "acme")
    dead = subprocess.Popen(["true"])
    dead.wait()
    left, running, another = (Path(f"acme.ndjson.{name}.part") for name in (dead.pid, os.getppid(), "mine"))
    for path in (left, running, another):
        path.write_text("secret")
    assert run("tenant", "export", "acme", "--out", "acme.ndjson").exit_code == 0
    assert [path.exists() for path in (left, running, another)] == [False, True, True]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("create", "a_b"), 2, "`a_b` is no tenant's name"),
        (("suspend", "nobody"), 2, "there is no store in data, name the data folder"),
        (("resume", "nobody"), 2, "there is no store in data, name the data folder"),
        (("erase", "nobody", "--yes"), 2, "there is no tenant `nobody`"),
        (("export", "nobody", "--out", "x"), 2, "there is no store in data, name the data folder"),
        (("import", "nobody", "no.ndjson"), 2, "`no.ndjson` can't be read"),
        (("list", "--tenants", "nowhere"), 2, "there is no folder nowhere"),
    ],
)
def test_a_refusal_is_a_sentence(arguments: tuple[str, ...], code: int, sentence: str) -> None:
    result = run("tenant", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert sentence in result.stderr


def test_a_store_in_the_wrong_folder_is_not_made() -> None:
    for arguments in (("suspend", "acme"), ("resume", "acme"), ("export", "acme", "--out", "x")):
        assert run("tenant", *arguments).exit_code == 2
    assert not Path("data").exists()


def test_a_bad_line_is_told_with_its_place() -> None:
    run("tenant", "create", "acme")
    Path("lines.ndjson").write_text(f"{json.dumps(LINE)}\n{{}}\n")
    result = run("tenant", "import", "acme", "lines.ndjson")
    assert result.exit_code == 2
    assert "policy-service: lines.ndjson:2: `_class` is missing" in result.stderr


def test_a_list_makes_no_store() -> None:
    assert "there are no tenants" in tell(run("tenant", "list"))
    Path("tenants/files").mkdir()
    assert run("tenant", "list").stdout == "files                     files only\n"
    assert not Path("data").exists()


def test_a_tenant_that_is_shut_is_not_evaluated() -> None:
    ask = ("evaluate", "acme", "--subject", "user:a", "--action", "b", "--resource", "c:d")
    Path("tenants/acme").mkdir()
    Path("tenants/acme/tenant.yaml").write_text("name: A\n")
    assert run(*ask).exit_code == 0
    assert not Path("data").exists()  # a look makes no store
    run("tenant", "create", "acme")
    assert run(*ask).exit_code == 0
    run("tenant", "suspend", "acme")
    refused = run(*ask)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "the tenant `acme` is suspended, and decides nothing" in refused.stderr
    run("tenant", "erase", "acme", "--yes")
    assert run(*ask).exit_code == 2
    run("tenant", "create", "acme")
    assert run(*ask).exit_code == 0


def test_nothing_of_what_is_restricted_is_in_the_file(tmp_path: Path) -> None:
    run("tenant", "create", "acme")
    Path("lines.ndjson").write_text(json.dumps({**LINE, "ssn": "078-05-1120"}))
    run("tenant", "import", "acme", "lines.ndjson")
    run("keyring", "rekey", "acme")
    open_store(Settings(data=tmp_path / "data")).close()
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or b"078-05-1120" not in path.read_bytes()
