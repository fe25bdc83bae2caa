"""Search (AuthZEN 1.0 §8): the wire contract, over the demo tenant of the interoperability scenario."""

from __future__ import annotations

import json
import runpy
from functools import partial
from typing import Any

import httpx
import pytest

from tests.web.conftest import ROOT, Client, Reply, Site

RICK, MORTY, SUMMER, BETH, JERRY = (
    f"CiRmZD{letter}2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs" for letter in ("A", "E", "I", "M", "Q")
)
TODO = {"type": "todo", "id": "1", "properties": {"ownerID": "morty@the-citadel.com"}}
SEARCHES: dict[str, dict[str, Any]] = {
    "subject": {"subject": {"type": "user"}, "action": {"name": "can_update_todo"}, "resource": TODO},
    "resource": {
        "subject": {"type": "user", "id": MORTY},
        "action": {"name": "can_read_user"},
        "resource": {"type": "user"},
    },
    "action": {"subject": {"type": "user", "id": MORTY}, "resource": TODO},
}


def find(client: Client, role: str, body: Any = None, **options: Any) -> Reply:
    return client.send("POST", f"/access/v1/search/{role}", SEARCHES[role] if body is None else body, **options)


def page_through(client: Client, role: str, limit: int) -> list[list[dict[str, str]]]:
    pages, page = [], {"limit": limit}
    while True:
        reply = find(client, role, {**SEARCHES[role], "page": page})
        assert reply.status == 200, reply.body
        pages.append(reply.json["results"])
        token = reply.json["page"]["next_token"]
        if not token:
            return pages
        page = {"limit": limit, "token": token}


def test_subjects_are_those_whom_an_evaluation_would_allow(client: Client) -> None:
    reply = find(client, "subject")
    assert reply.status == 200
    assert reply.json == {"results": [{"type": "user", "id": RICK}, {"type": "user", "id": MORTY}]}


def test_resources_are_those_that_an_evaluation_would_allow(client: Client) -> None:
    assert [found["id"] for found in find(client, "resource").json["results"]] == [RICK, MORTY, SUMMER, BETH, JERRY]


def test_actions_are_those_of_files_that_an_evaluation_would_allow(client: Client) -> None:
    names = [found["name"] for found in find(client, "action").json["results"]]
    assert names == ["can_create_todo", "can_delete_todo", "can_read_todos", "can_update_todo"]


@pytest.mark.parametrize("role", ["subject", "resource", "action"])
def test_results_are_what_evaluating_one_by_one_allows(client: Client, role: str) -> None:
    body = SEARCHES[role]
    found = find(client, role).json["results"]
    candidates = (
        [{"name": f"can_{verb}"} for verb in ("read_user", "read_todos", "create_todo", "update_todo", "delete_todo")]
        if role == "action"
        else [{"type": "user", "id": id_} for id_ in (RICK, MORTY, SUMMER, BETH, JERRY)]
    )
    questions = [{**body, role: {**body.get(role, {}), **candidate}} for candidate in candidates]
    allowed = [candidate for candidate, one in zip(candidates, questions, strict=True) if _allows(client, one)]
    assert sorted(found, key=str) == sorted(allowed, key=str)


def _allows(client: Client, question: Any) -> bool:
    return bool(client.evaluate(question).json["decision"])


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
def test_pages_joined_are_the_whole(client: Client, limit: int) -> None:
    whole = find(client, "resource").json["results"]
    pages = page_through(client, "resource", limit)
    assert [found for page in pages for found in page] == whole
    # the last page is known as such: none that is empty follows a full one
    assert all(pages)


def test_page_comes_first_and_type_before_id(client: Client) -> None:
    reply = find(client, "resource", {**SEARCHES["resource"], "page": {"limit": 2}})
    assert reply.body.startswith(b'{"page":{"next_token":"')
    assert b'"results":[{"type":"user","id":"' in reply.body
    assert reply.json["page"]["next_token"]
    assert find(client, "resource", {**SEARCHES["resource"], "page": {}}).json["page"] == {"next_token": ""}


def test_the_limit_may_be_left_out_of_the_next_page_or_changed(client: Client) -> None:
    token = find(client, "resource", {**SEARCHES["resource"], "page": {"limit": 2}}).json["page"]["next_token"]
    for page in ({"token": token}, {"token": token, "limit": 3}):
        assert len(find(client, "resource", {**SEARCHES["resource"], "page": page}).json["results"]) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"subject": {"type": "user", "id": BETH}},
        {"subject": {"type": "user", "id": MORTY, "properties": {"x": 1}}},
        {"action": {"name": "can_read_todos"}},
        {"resource": {"type": "todo"}},
        {"resource": {"type": "user", "properties": {"x": True}}},
        {"context": {"x": 1}},
    ],
)
def test_a_token_is_good_for_its_own_search_alone(client: Client, change: dict[str, Any]) -> None:
    token = find(client, "resource", {**SEARCHES["resource"], "page": {"limit": 2}}).json["page"]["next_token"]
    assert find(client, "resource", {**SEARCHES["resource"], **change, "page": {"token": token}}).status == 400


def test_a_token_is_good_for_its_own_key_and_role_alone(client: Client, site: Site) -> None:
    token = find(client, "resource", {**SEARCHES["resource"], "page": {"limit": 2}}).json["page"]["next_token"]
    other = Client(client.service, site.new_key("citadel"))
    body = {**SEARCHES["resource"], "page": {"token": token}}
    assert find(other, "resource", body).status == 400
    assert find(client, "subject", {**SEARCHES["subject"], "page": {"token": token}}).status == 400
    for wrong in ("x", "", "é", token[:-1], token + "A"):
        expected = 200 if wrong == "" else 400
        assert find(client, "resource", {**SEARCHES["resource"], "page": {"token": wrong}}).status == expected


@pytest.mark.parametrize(
    ("role", "change"),
    [
        ("subject", {"subject": {"type": "nobody"}}),
        ("subject", {"action": {"name": "nothing"}}),
        ("subject", {"resource": {"type": "no", "id": "no"}}),
        ("resource", {"resource": {"type": "nothing"}}),
        ("resource", {"subject": {"type": "user", "id": "nobody"}, "action": {"name": "can_delete_todo"}}),
        ("resource", {"resource": {"type": "Group"}}),
        ("action", {"subject": {"type": "nobody", "id": "no"}}),
    ],
)
def test_what_nobody_knows_finds_nothing(client: Client, role: str, change: dict[str, Any]) -> None:
    reply = find(client, role, {**SEARCHES[role], **change})
    assert (reply.status, reply.json) == (200, {"results": []})


def test_an_id_of_what_is_searched_for_is_ignored(client: Client) -> None:
    plain = find(client, "resource").body
    for id_ in ("x", 1, None):
        body = {**SEARCHES["resource"], "resource": {"type": "user", "id": id_}}
        assert find(client, "resource", body).body == plain
    assert find(client, "action", {**SEARCHES["action"], "action": 1}).body == find(client, "action").body


def test_properties_of_what_is_searched_for_are_those_of_every_candidate(client: Client) -> None:
    body = {**SEARCHES["subject"], "subject": {"type": "user", "properties": {"roles": ["evil_genius"]}}}
    assert len(find(client, "subject", body).json["results"]) == 5


def test_a_limit_is_a_number_however_it_is_written(client: Client) -> None:
    whole, point = (find(client, "resource", {**SEARCHES["resource"], "page": {"limit": limit}}) for limit in (2, 2.0))
    assert len(whole.json["results"]) == 2
    assert point.json["results"] == whole.json["results"]


@pytest.mark.parametrize(
    ("role", "change", "names"),
    [
        ("subject", {"subject": None}, "`subject`"),
        ("subject", {"subject": {}}, "`subject.type`"),
        ("subject", {"resource": {"type": "todo"}}, "`resource.id`"),
        ("subject", {"action": {}}, "`action.name`"),
        ("resource", {"subject": {"type": "user"}}, "`subject.id`"),
        ("resource", {"resource": {"type": 1}}, "`resource.type`"),
        ("resource", {"page": []}, "`page`"),
        ("resource", {"page": {"limit": -1}}, "`page.limit`"),
        ("resource", {"page": {"limit": True}}, "`page.limit`"),
        ("resource", {"page": {"limit": 1.5}}, "`page.limit`"),
        ("resource", {"page": {"token": 1}}, "`page.token`"),
        ("resource", {"options": {"filter": "cobol"}}, "`options.filter`"),
        ("action", {"options": {"filter": "sql"}}, "`options.filter`"),
        ("action", {"resource": {"type": "todo"}}, "`resource.id`"),
        ("resource", {"resource": {"type": "user", "properties": {"tenant": "x"}}}, "`resource.properties.tenant`"),
    ],
)
def test_what_can_t_be_read_is_400_and_named(client: Client, role: str, change: dict[str, Any], names: str) -> None:
    reply = find(client, role, {**SEARCHES[role], **change})
    assert reply.status == 400
    assert names in reply.json["detail"]


def test_a_search_needs_a_key_of_the_tenant_and_its_scope(client: Client, site: Site) -> None:
    assert find(client, "action", authorization=None).status == 401
    assert (
        find(Client(client.service, site.new_key("citadel", scopes=("read",), subject="user:x")), "action").status
        == 403
    )
    path = "/tenants/acme/access/v1/search/action"
    assert client.send("POST", path, SEARCHES["action"]).status == 401
    assert client.send("POST", path.replace("acme", "citadel"), SEARCHES["action"]).body == find(client, "action").body
    assert client.send("GET", "/access/v1/search/action").status == 405
    assert client.send("POST", "/access/v1/search/todo", {}).status == 404


def test_the_same_search_has_the_same_answer(client: Client) -> None:
    for role in SEARCHES:
        assert len({find(client, role).body for _ in range(3)}) == 1


def test_a_page_is_one_record(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(client.service.log, "write", kept.extend)
    find(client, "resource", {**SEARCHES["resource"], "page": {"limit": 2}})
    (record,) = kept
    assert record["resource"] == {"type": "user", "id": ""}
    assert record["rows"]["ids"] == [RICK, MORTY]
    assert json.dumps(record, default=str)


def condition(client: Client, body: Any, **options: str) -> Any:
    reply = find(client, "resource", {**body, "options": options})
    assert reply.status == 200, reply.body
    assert reply.json["results"] == []
    return reply.json["context"]["filter"]


TODOS = {
    "subject": {"type": "user", "id": MORTY},
    "action": {"name": "can_update_todo"},
    "resource": {"type": "todo"},
}


def test_the_example_of_the_docs_runs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def post(url: str, *, json: Any, headers: dict[str, str]) -> httpx.Response:
        reply = client.send("POST", url.removeprefix("http://pdp"), json, authorization=headers["authorization"])
        return httpx.Response(reply.status, content=reply.body, request=httpx.Request("POST", url))

    example = runpy.run_path(str(ROOT / "docs" / "filter_example.py"))
    monkeypatch.setattr(httpx, "post", post)
    ask = partial(example["list_todos"], "http://pdp", client.key)
    assert ask(MORTY, "can_update_todo") == ["feed the dog", "math homework"]
    assert ask(RICK, "can_update_todo") == ["feed the dog", "math homework", "nobody's", "portal gun"]
    assert ask(BETH, "can_update_todo") == []


@pytest.mark.parametrize("form", ["ucast", "ast"])
def test_a_condition_can_be_had_as_a_tree(client: Client, form: str) -> None:
    told = condition(client, TODOS, filter=form)
    assert (told["form"], told["exact"]) == (form, True)
    assert "morty@the-citadel.com" in json.dumps(told["condition"])
    assert "dialect" not in told


def test_nothing_and_everything_are_conditions_too(client: Client) -> None:
    nothing = condition(client, {**TODOS, "action": {"name": "nothing"}}, filter="sql")
    everything = condition(client, {**TODOS, "action": {"name": "can_read_todos"}}, filter="sql")
    assert (nothing["condition"]["sql"], everything["condition"]["sql"]) == ("(false)", "(true)")
    # the policies are about todos alone
    other = condition(client, {**TODOS, "resource": {"type": "host"}}, filter="sql")
    assert other["condition"]["sql"] == "(false)"


def test_properties_that_are_sent_are_no_columns(client: Client) -> None:
    body = {**TODOS, "resource": {"type": "todo", "properties": {"ownerID": "morty@the-citadel.com"}}}
    assert condition(client, body, filter="sql")["condition"] == {"sql": "(true)", "parameters": {}}


def test_a_condition_is_recorded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(client.service.log, "write", kept.extend)
    condition(client, TODOS, filter="sql")
    (record,) = kept
    assert record["filter"] == 'ownerID = "morty@the-citadel.com"'
