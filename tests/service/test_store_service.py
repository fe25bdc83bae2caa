"""The asset API served by processes, over both databases: what it does when something goes, and who wins."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from policy_service.store.files import remove_files
from policy_service.store.opening import open_store
from policy_service.store.tables import SERVICE, EntityRow, TrailEntryRow
from tests.logs import read_segments
from tests.service.servers import LIMIT, limit_files
from tests.service.shops import API, EVALUATION, Shop, Writers, draft, kill, open_shop, writing
from tests.stores import KINDS


@pytest.fixture(scope="module", params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(request.param, tmp_path_factory.mktemp("shop"), request) as opened:
        yield opened


def question(id_: str) -> dict[str, Any]:
    """May bob use it? The store alone knows."""
    return {
        "subject": {"type": "user", "id": "bob"},
        "action": {"name": "use"},
        "resource": {"type": "host", "id": id_},
    }


# what goes, and comes back


@contextmanager
def no_database(shop: Shop) -> Iterator[None]:
    """PostgreSQL ends all connections and takes no other."""
    cluster, name = shop.place.cluster, shop.place.database
    assert cluster is not None
    cluster.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        cluster.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        yield
    finally:
        cluster.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def no_file(shop: Shop, tenant: str, instead: bytes | None = None) -> Iterator[None]:
    """The file of a tenant, or the control database, is elsewhere; `instead` lies in its place."""
    path = shop.path(tenant)
    for part in path.parent.glob(f"{path.name}*"):
        part.rename(path.parent / f"away-{part.name}")
    try:
        if instead is not None:
            path.write_bytes(instead)
        yield
    finally:
        remove_files(path)
        for part in path.parent.glob(f"away-{path.name}*"):
            part.rename(path.parent / part.name.removeprefix("away-"))


@contextmanager
def no_space(shop: Shop) -> Iterator[None]:
    """No worker can make a file longer."""
    limit_files(shop.server.workers(), 64)
    try:
        yield
    finally:
        limit_files(shop.server.workers(), -1)


Loss = Callable[[Shop], Any]
LOSSES: dict[str, list[tuple[str, Loss]]] = {
    "postgresql": [("database", no_database), ("space", no_space)],
    "sqlite": [
        ("its file", lambda shop: no_file(shop, "acme")),
        ("a file", lambda shop: no_file(shop, "acme", b"x" * 8192)),
        ("the control database", lambda shop: no_file(shop, SERVICE)),
        ("space", no_space),
    ],
}


def test_what_is_lost_is_a_clear_refusal_and_no_allow_until_it_is_back(shop: Shop) -> None:
    red = shop.make(color="red")
    one, workers = f"{API}/{red['_id']}", shop.server.workers()
    asks: list[tuple[str, str, Any]] = [
        ("GET", one, None),
        ("GET", API, None),
        ("GET", f"{one}/walk", None),
        ("POST", API, draft("lost")),
        ("POST", f"{API}:batch", {"entities": [draft("lost")]}),
        ("PUT", one, draft(red["_key"], color="blue")),
        ("PATCH", one, {"color": "blue"}),
        ("DELETE", one, None),
        ("POST", EVALUATION, question(red["_id"])),
    ]
    for name, lose in LOSSES[shop.place.kind]:
        assert {reply.json()["decision"] for reply in shop.ask_often("POST", EVALUATION, question(red["_id"]))} == {
            True
        }
        with lose(shop):
            shop.settle()
            for method, path, body in asks:
                for reply in shop.ask_often(method, path, body):
                    assert reply.status_code == 503, (name, method, path, reply.text)
                    check_refusal(reply, red["_id"])
            # what one tenant lost is no reason to take the service for ill
            assert shop.ask("GET", "/healthz").status_code == (200 if "file" in name else 503), name
        shop.wait("GET", one, 200)
        shop.wait("POST", EVALUATION, 200, body=question(red["_id"]))
        assert shop.ask("GET", one).json() == red
        assert shop.ask("POST", API, draft("lost")).status_code == 201, name
        (lost,) = [item for item in list_all(shop) if item["_key"] == "lost"]
        assert shop.ask("DELETE", f"{API}/{lost['_id']}").status_code == 204
    assert set(shop.server.workers()) == set(workers)
    assert shop.ask("GET", "/healthz").status_code == 200


def check_refusal(reply: httpx.Response, *hidden: str) -> None:
    """A refusal says what is wrong, and nothing else: no statement, no path of a library, no value."""
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["retry-after"] == "1"
    assert set(reply.json()) == {"type", "title", "status", "detail", "error"}
    detail = reply.json()["detail"]
    assert 20 < len(detail) < 200
    assert not any(word in detail for word in (*hidden, "SELECT", "sqlalchemy", "psycopg", "Traceback", "Error"))


def list_all(shop: Shop) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = shop.ask("GET", f"{API}?limit=1000{cursor}").json()
        items += page["items"]
        if "cursor" not in page:
            return items
        cursor = f"&cursor={page['cursor']}"


# writes that were acknowledged


def check_writes(shop: Shop, writers: Writers) -> None:
    """What was acknowledged is there, in the trail and in the decision log; every version is one change, whole."""
    with closing(open_store(shop.place.settings)) as store, store.session("acme") as session:
        rows = {row.id: row for row in session.scalars(select(EntityRow))}
        told = [json.loads(body) for body in session.scalars(select(TrailEntryRow.body))]
        segments = read_segments(shop.place.settings.data / "log", store.keys).values()
        logged = {body["request"] for bodies in segments for body in bodies}
    # what commands did is not told by a request
    trail = [entry for entry in told if entry["kind"] == "entity"]
    changes = Counter(entry["id"] for entry in trail)
    for request, (id_, version, written) in writers.acknowledged.items():
        assert rows[id_].version >= version, request
        assert rows[id_].version > version or rows[id_].properties["size"] == written
        assert request in logged
        assert any(entry["id"] == id_ and entry["by"]["request"] == request for entry in trail)
    assert {entry["by"]["request"] for entry in trail} <= logged
    # a deletion is a change too, and no version
    deleted = Counter(entry["id"] for entry in trail if entry["action"] == "delete")
    assert {id_: row.version + deleted[id_] for id_, row in rows.items()} == dict(changes)
    assert "whole" in shop.command("trail", "verify", "acme")


def test_a_killed_worker_loses_nothing_that_was_acknowledged(shop: Shop) -> None:
    with writing(shop) as writers:
        for number in (0, 1, 0):
            writers.wait_for_more()
            kill(shop, shop.server.workers()[number])
        writers.wait_for_more()
    assert {reply.status_code for reply in writers.refused} <= {503}
    check_writes(shop, writers)


def test_keys_are_changed_under_load(shop: Shop) -> None:
    red = shop.make(color="red")
    with writing(shop) as writers:
        for command in (("keyring", "rekey", "acme"), ("keyring", "rotate"), ("keyring", "rekey", "acme")):
            writers.wait_for_more()
            shop.command(*command)
        writers.wait_for_more(40)
    for reply in writers.refused:
        check_refusal(reply)
        assert reply.status_code == 503
    check_writes(shop, writers)
    assert {reply.json()["_id"] for reply in shop.ask_often("GET", f"{API}/{red['_id']}")} == {red["_id"]}


def test_one_of_many_wins_each_version(shop: Shop) -> None:
    made = shop.make(size=0)
    path, count = f"{API}/{made['_id']}", 6
    with ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=shop.server.url, timeout=LIMIT)) for _ in range(count)]
        for turn in range(1, 9):
            tag = shop.ask("GET", path).headers["etag"]
            told: list[tuple[int, int]] = []
            start = threading.Barrier(count)

            def patch(client: httpx.Client, size: int) -> None:
                headers = shop.headers(if_match=tag)  # noqa: B023  joined below
                start.wait(LIMIT)  # noqa: B023
                told.append((client.patch(path, json={"size": size}, headers=headers).status_code, size))  # noqa: B023

            threads = [
                threading.Thread(target=patch, args=(client, 100 * turn + number))
                for number, client in enumerate(clients)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(LIMIT)
            assert Counter(status for status, _ in told) == {200: 1, 412: count - 1}
            (winner,) = (size for status, size in told if status == 200)
            now = shop.ask("GET", path).json()
            assert (now["size"], now["_version"]) == (winner, 1 + turn)


# tenants that are shut


def test_keys_of_a_tenant_that_is_shut_are_wrong_ones(shop: Shop) -> None:
    options: dict[str, Any] = {"tenant": "doomed"}
    assert shop.ask("POST", API, draft("old"), **options).status_code == 201
    for shut, opened in ((("suspend", "doomed"), ("resume", "doomed")), (("erase", "doomed", "--yes"), None)):
        shop.command("tenant", *shut)
        shop.settle()
        for method, path, body in (
            ("GET", API, None),
            ("POST", API, draft("late")),
            ("GET", f"{API}/{'0' * 36}", None),
            ("POST", EVALUATION, question("x")),
        ):
            wrong = tell(shop.ask(method, path, body, key="wrong", **options))
            assert wrong[0] == 401
            for key in ("ada", "act"):
                assert {str(tell(reply)) for reply in shop.ask_often(method, path, body, key=key, **options)} == {
                    str(wrong)
                }
        assert shop.ask("GET", API, tenant="globex").status_code == 200
        if opened:
            shop.command("tenant", *opened)
            shop.settle()
            assert shop.ask("GET", API, **options).status_code == 200
    # a tenant of the same name is another one: it has none of the keys, and nothing of what was there
    shop.command("tenant", "create", "doomed")
    old = shop.site.keys["doomed/ada"]
    shop.site.keys["doomed/ada"] = shop.site.new_key("doomed", scopes=("read",), subject="user:ada")
    shop.settle()
    assert shop.ask("GET", API, **options).json() == {"items": []}
    assert shop.ask("GET", API, authorization=f"Bearer {old}", **options).status_code == 401


def tell(reply: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """All that an answer says but its time and its request."""
    headers = {name: value for name, value in reply.headers.items() if name not in ("date", "x-request-id")}
    return reply.status_code, headers, reply.content
