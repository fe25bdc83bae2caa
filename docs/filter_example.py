"""Filter a table of your own by the policies of a tenant: ask for the condition once, let your database apply it.

    pip install sqlalchemy httpx
    python filter_example.py http://127.0.0.1:8080 psk_…

The key needs the scope `decide`. `make run` prints one of the tenant citadel, whose policies say who may update a todo.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx
from sqlalchemy import Column, MetaData, String, Table, create_engine, insert, select, text

metadata = MetaData()
# a column for each attribute that policies read of the type; `id` and `type` need none where policies don't ask
todos = Table(
    "todo", metadata, Column("id", String, primary_key=True), Column("ownerID", String), Column("title", String)
)

MORTY = "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs"
ROWS = [
    {"id": "1", "ownerID": "morty@the-citadel.com", "title": "math homework"},
    {"id": "2", "ownerID": "rick@the-citadel.com", "title": "portal gun"},
    {"id": "3", "ownerID": "morty@the-citadel.com", "title": "feed the dog"},
    {"id": "4", "ownerID": None, "title": "nobody's"},
]


def ask_condition(url: str, key: str, subject: str, action: str) -> dict[str, Any]:
    """The condition on todos with which the subject may do it, as SQL for SQLite and its parameters."""
    body = {
        "subject": {"type": "user", "id": subject},
        "action": {"name": action},
        "resource": {"type": "todo"},
        "options": {"filter": "sql", "dialect": "sqlite"},
    }
    answer = httpx.post(f"{url}/access/v1/search/resource", json=body, headers={"authorization": f"Bearer {key}"})
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()["context"]["filter"]
    if not told["exact"]:
        # right all the same: it has certain rows alone. What `possible` has beside is asked about one by one
        print("decided one by one:", [reason["why"] for reason in told["opaque"]], file=sys.stderr)
    return dict(told["condition"])


def list_todos(url: str, key: str, subject: str, action: str) -> list[str]:
    """The titles of the todos with which the subject may do it, from the application's own table."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    condition = ask_condition(url, key, subject, action)
    allowed = text(condition["sql"]).bindparams(**condition["parameters"])
    with engine.begin() as connection:
        connection.execute(insert(todos), ROWS)
        # the policies' condition goes with the application's own: pages, sorts and counts are the database's work
        page = select(todos.c.title).where(allowed).order_by(todos.c.title).limit(100)
        return list(connection.scalars(page))


if __name__ == "__main__":
    print(list_todos(sys.argv[1], sys.argv[2], MORTY, "can_update_todo"))
