"""What `make run` prints works when it is pasted into a shell."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from policy_service.cli.demo import furnish
from policy_service.cli.demo_tries import OWNERS
from policy_service.identity import keys
from policy_service.store.opening import open_store
from policy_service.store.tables import EntityRow
from tests.web.conftest import make_site, wait_for

HOSTS = {"web-1", "web-2", "build-1", "etl-1", "lab-1"}


def ask(line: str) -> tuple[int, Any]:
    """Status and body of what a line for a shell is answered."""
    line += " -w '\n%{http_code}'"
    body, _, status = subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout.rpartition(b"\n")
    lines = [json.loads(part) for part in body.splitlines()]
    return int(status), lines[0] if len(lines) == 1 else lines


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_demo_prints_what_to_try(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    before = {tenant: len(keys.entries(site.settings.tenants, tenant)) for tenant in site.keys}
    said = tmp_path / "said.txt"
    with closing(socket.socket()) as taken, said.open("wb") as file:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "policy_service.cli", "demo", "--bind", bind, "--workers", "1"],
            cwd=tmp_path, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: "Ctrl-C" in said.read_text(), 30, said.read_text)
            text = said.read_text()
            lines = [line for line in text.splitlines() if line.startswith("curl ")]
            answers = [ask(line) for line in lines]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0, said.read_text()
    assert bind not in text, "the port was taken"
    assert re.search(r"http://127\.0\.0\.1:\d+", text)
    assert set(re.findall(r"^key of (\w+) \(.*\):  psk_", text, re.MULTILINE)) == set(OWNERS)
    allow, deny, batch, found, *assets = answers
    assert allow == (200, {"decision": True})
    assert deny[1]["decision"] is False
    (reason,) = deny[1]["context"]["reasons"]
    assert (reason["id"], reason["effect"], bool(reason["message"])) == ("production-hosts-stay", "forbid", True)
    assert batch == (200, {"evaluations": [{"decision": True}, {"decision": False}]})
    hosts, more, hidden, addressed, all_stores, stores, facets, everything = (body for _, body in assets[:8])
    host, changed, refused, kept, nothing, missing = assets[8:]
    assert {item["displayName"].partition(".")[0] for item in hosts["items"]} == HOSTS - {"lab-1"}
    assert sorted(item["_id"] for item in hosts["items"]) == [one["id"] for one in found[1]["results"]]
    assert {item["displayName"].partition(".")[0] for item in more["items"]} == HOSTS
    assert ["ipAddress" in item for item in (hosts["items"][0], more["items"][0])] == [False, True]
    assert (hidden["items"], len(addressed["items"])) == ([], 2)
    assert (all_stores, stores) == ({"count": 4}, {"count": 2})
    assert facets["facets"]["type"] == [{"value": "host", "count": 4}, {"value": "data_store", "count": 2}]
    assert len(everything) == 9
    assert (host[0], changed[0], changed[1]["osName"], changed[1]["_version"]) == (200, 200, "debian", 2)
    assert (refused[0], kept[0]) == (403, 403)
    assert "is not deleted before it is retired" in kept[1]["detail"]
    assert (nothing, missing[0]) == ((200, {"items": []}), 404)
    assert before == {tenant: len(keys.entries(site.settings.tenants, tenant)) for tenant in site.keys}


def test_the_example_is_loaded_once(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    for _ in range(2):
        furnish(site.settings)
        store = open_store(site.settings)
        with store.session("acme", write=True) as session:
            found = session.scalars(select(EntityRow).where(EntityRow.type == "host")).all()
            assert len(found) == len(HOSTS)
            for row in found:
                row.deleted = True
        assert store.has_store("citadel")
        store.close()
