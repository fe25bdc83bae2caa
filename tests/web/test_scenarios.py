"""AuthZEN's public interoperability scenarios, Todo and API gateway, through a real HTTP client."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest

PID = "CiRmZD{}2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"
PEOPLE = {
    "rick": (PID.format("A"), "rick@the-citadel.com", {"admin", "evil_genius"}),
    "morty": (PID.format("E"), "morty@the-citadel.com", {"editor"}),
    "summer": (PID.format("I"), "summer@the-smiths.com", {"editor"}),
    "beth": (PID.format("M"), "beth@the-smiths.com", {"viewer"}),
    "jerry": (PID.format("Q"), "jerry@the-smiths.com", {"viewer"}),
}
TODO_ACTIONS = ("can_read_user", "can_read_todos", "can_create_todo", "can_update_todo", "can_delete_todo")
ROUTES = tuple(itertools.product(("GET", "POST", "PUT", "DELETE"), ("/users/{userId}", "/todos", "/todos/{todoId}")))
OWNERS = ("rick@the-citadel.com", "morty@the-citadel.com", "beth@the-smiths.com")


def todo_expects(person: str, action: str, owner: str) -> bool:
    _, email, roles = PEOPLE[person]
    own = owner == email
    return {
        "can_read_user": True,
        "can_read_todos": True,
        "can_create_todo": bool(roles & {"admin", "editor"}),
        "can_update_todo": "evil_genius" in roles or ("editor" in roles and own),
        "can_delete_todo": "admin" in roles or ("editor" in roles and own),
    }[action]


def gateway_expects(person: str, method: str, route: str) -> bool:
    roles = PEOPLE[person][2]
    if method == "GET":
        return True
    wanted = {
        ("POST", "/todos"): {"admin", "editor"},
        ("PUT", "/todos/{todoId}"): {"evil_genius", "editor"},
        ("DELETE", "/todos/{todoId}"): {"admin", "editor"},
    }
    return bool(roles & wanted.get((method, route), set()))


def todo(person: str, action: str, owner: str) -> dict[str, Any]:
    kind = "user" if action == "can_read_user" else "todo"
    resource: dict[str, Any] = {"type": kind, "id": "beth@the-smiths.com" if kind == "user" else "7240d0db"}
    if kind == "todo":
        resource["properties"] = {"ownerID": owner}
    return {
        "subject": {"type": "user", "id": PEOPLE[person][0]},
        "action": {"name": action},
        "resource": resource,
        "context": {},
    }


def gateway(person: str, method: str, route: str) -> dict[str, Any]:
    return {
        "subject": {"type": "identity", "id": PEOPLE[person][0]},
        "action": {"name": method},
        "resource": {"type": "route", "id": route},
    }


@pytest.mark.parametrize("person", PEOPLE)
def test_todo(http: httpx.Client, person: str) -> None:
    for action, owner in itertools.product(TODO_ACTIONS, OWNERS):
        response = http.post("/access/v1/evaluation", json=todo(person, action, owner))
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {"decision": todo_expects(person, action, owner)}, (person, action, owner)


@pytest.mark.parametrize("person", PEOPLE)
def test_gateway(http: httpx.Client, person: str) -> None:
    for method, route in ROUTES:
        response = http.post("/access/v1/evaluation", json=gateway(person, method, route))
        assert response.json() == {"decision": gateway_expects(person, method, route)}, (person, method, route)


def test_todo_in_batches(http: httpx.Client) -> None:
    """As the interoperability runner sends them: defaults that are empty objects, the same answer to the byte."""
    for person in PEOPLE:
        body = {
            "subject": {"type": "user", "id": PEOPLE[person][0]},
            "action": {"name": "can_update_todo"},
            "resource": {},
            "context": {},
            "evaluations": [{"resource": todo(person, "can_update_todo", owner)["resource"]} for owner in OWNERS],
        }
        answers = [http.post("/access/v1/evaluations", json=body).content for _ in range(3)]
        assert len(set(answers)) == 1
        expected = [{"decision": todo_expects(person, "can_update_todo", owner)} for owner in OWNERS]
        assert http.post("/access/v1/evaluations", json=body).json() == {"evaluations": expected}


def test_the_tenant_may_be_named(http: httpx.Client) -> None:
    body = todo("rick", "can_create_todo", OWNERS[0])
    assert http.post("/tenants/citadel/access/v1/evaluation", json=body).json() == {"decision": True}


def test_a_large_body_arrives_whole(http: httpx.Client) -> None:
    item = {**todo("rick", "can_create_todo", OWNERS[0]), "context": {"note": "x" * 900}}
    response = http.post("/access/v1/evaluations", json={"evaluations": [item] * 700})
    assert response.status_code == 200
    assert response.json() == {"evaluations": [{"decision": True}] * 700}


def test_a_body_in_chunks_arrives_whole(http: httpx.Client) -> None:
    text = httpx.Request("POST", "http://x", json=todo("rick", "can_create_todo", OWNERS[0])).content
    parts = (text[start : start + 20] for start in range(0, len(text), 20))
    response = http.post("/access/v1/evaluation", content=parts, headers={"content-type": "application/json"})
    assert response.json() == {"decision": True}


def test_a_body_too_large_is_refused_and_the_server_goes_on(http: httpx.Client) -> None:
    response = http.post(
        "/access/v1/evaluation", content=b" " * (3 * 1024 * 1024), headers={"content-type": "application/json"}
    )
    assert response.status_code == 413
    assert http.get("/healthz").json() == {"status": "ok"}
