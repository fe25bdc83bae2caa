"""`app.py` answers under any WSGI server; its settings come from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.property.test_swaps import TENANT
from tests.service.houses import ROOT
from tests.service.servers import ALICE, BATCH, BATCH_PATH, LIMIT, SINGLE_PATH, count_requests, headers_of, make_place
from tests.web.conftest import free_port, is_healthy, wait_for

SERVERS = {
    "wsgiref": "from wsgiref.simple_server import make_server; make_server('127.0.0.1', PORT, app).serve_forever()",
    "werkzeug": "from werkzeug.serving import run_simple; run_simple('127.0.0.1', PORT, app, threaded=True)",
}


@pytest.mark.parametrize("name", list(SERVERS))
def test_app_answers_under_another_server(tmp_path: Path, name: str) -> None:
    site, port = make_place(tmp_path), free_port()
    settings = site.settings.environment()
    errors = tmp_path / "errors.txt"
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from app import app; {SERVERS[name].replace('PORT', str(port))}"],
            stdout=file,
            stderr=file,
            cwd=tmp_path,
            env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_healthy(url), LIMIT, errors.read_text)
        with httpx.Client(base_url=url, timeout=LIMIT) as client:
            headers = headers_of(site.keys[TENANT])
            reply = client.post(SINGLE_PATH, json=ALICE, headers=headers)
            assert (reply.status_code, reply.json()) == (200, {"decision": True})
            assert reply.headers["x-request-id"] == headers["x-request-id"]
            reply = client.post(BATCH_PATH, json=BATCH, headers=headers_of(site.keys[TENANT]))
            assert [item["decision"] for item in reply.json()["evaluations"]] == [True, True, False, False]
            assert client.post(SINGLE_PATH, json=ALICE).status_code == 401
            assert client.get(SINGLE_PATH).status_code == 405
            assert client.get("/nowhere").status_code == 404
            assert client.head("/healthz").content == b""
            # a body without its length, sent in pieces
            sent = client.post(
                SINGLE_PATH, content=iter([b"{", b"}"]), headers={**headers, "content-type": "application/json"}
            )
            assert sent.status_code == 400
            assert client.get("/.well-known/authzen-configuration").status_code == 200
            assert "openapi" in client.get("/openapi.json").json()
        assert count_requests(site)[headers["x-request-id"]] == 1
    finally:
        process.kill()
        process.wait()
