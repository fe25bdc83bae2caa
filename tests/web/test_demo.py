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

import pytest

from policy_service.identity import keys
from tests.web.conftest import make_site, wait_for


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
            answers = [
                json.loads(subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout) for line in lines
            ]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0, said.read_text()
    assert bind not in text, "the port was taken"
    assert re.search(r"http://127\.0\.0\.1:\d+", text)
    assert {"citadel", "acme"} == set(re.findall(r"^key of (\w+):  psk_", text, re.MULTILINE))
    allow, deny, batch = answers
    assert allow == {"decision": True}
    assert deny["decision"] is False
    (reason,) = deny["context"]["reasons"]
    assert (reason["id"], reason["effect"], bool(reason["message"])) == ("production-hosts-stay", "forbid", True)
    assert batch == {"evaluations": [{"decision": True}, {"decision": False}]}
    assert before == {tenant: len(keys.entries(site.settings.tenants, tenant)) for tenant in site.keys}
