"""Policies that hide properties from bob."""

from __future__ import annotations

from typing import Any

from tests.unit.access.desks import Desk

# bob does what he likes
BOB = '@id("bob") permit(principal == user::"bob", action, resource);\n'
PAY = """
@id("pay") @message("salaries are for ada") @hides("salary, tag.*")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource);
"""
SECRET: dict[str, Any] = {"salary": 9_000, "tag.env": "prod"}


def hide(desk: Desk, condition: str, names: str = "salary", **files: str) -> None:
    """Let names be hidden from bob where the condition holds."""
    rule = f"""@id("pay") @hides("{names}")
forbid(principal == user::"bob", action == PolicyService::Action::"readProperty", resource) {condition};
"""
    desk.write_files({"own.cedar": BOB + rule, **{name.replace("_", "."): text for name, text in files.items()}})


def stored(desk: Desk, id_: str) -> dict[str, Any]:
    """What an entity has, as ada sees it."""
    return dict(desk.ask("ada", "GET", f"/entities/{id_}").json)
