"""Searches of assets: drawn by a number, and what each means, said of the JSON that an asset is shown as.

Nothing here is shared with the service.
"""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

_TEXTS = ["red", "RE", "blue", "test", "prod", "web", "e1", "1", "a", "", "é", "%", "*"]
_NUMBERS = [1, 1.5, 2, 1.25, -1, 2**63 - 1, -(2**63), 2**70, 0.0, 1.0]
_PROPERTIES = [
    *("color", "color", "size", "size", "frozen", "tag.env", "note", "displayName", "absent", "tag.absent", "owner"),
    *("_key", "_type", "_version", "_id", "_source", "_scope", "_class"),
]
_LARGEST = 2**63
SORTS = ["_id", "displayName", "_key", "_type", "-_id", "-displayName", "-_key", "-_type"]
FACETS = ["type", "class", "color", "tag.env"]
INDEXED = ["color", "tag.env"]


def draw_search(random: Random, kind: str) -> dict[str, Any]:
    """The body of a search, without what is only of lists."""
    body: dict[str, Any] = {}
    if random.random() < 0.15:
        body["type"] = random.choice(["host", "owns", "zone"])
    if random.random() < 0.15:
        body["class"] = random.choice(["Host", "Team"])
    if random.random() < 0.2:
        body["text"] = random.choice(["W", "e", "red", "TEST", "é", "%", "_"])
    if random.random() < 0.6:
        body["where"] = draw_where(random, kind, 3)
    return body


def draw_where(random: Random, kind: str, depth: int) -> dict[str, Any]:
    """Conditions that are for the most part about what assets have."""
    form = random.choice(["and", "or", "not", "leaf", "leaf", "leaf"]) if depth else "leaf"
    if form == "not":
        return {"not": draw_where(random, kind, depth - 1)}
    if form != "leaf":
        return {form: [draw_where(random, kind, depth - 1) for _ in range(random.randint(1, 3))]}
    name = random.choice(_PROPERTIES)
    ops = ["eq", "ne", "lt", "le", "gt", "ge", "in", "exists", "contains", "starts"]
    if name == "_class":
        ops = ["contains", "exists"] if kind == "entity" else ["eq", "ne", "in", "exists"]
    op = random.choice(ops)
    if op == "exists":
        return {"property": name, "op": op}
    if op == "in":
        return {"property": name, "op": op, "value": [draw_value(random) for _ in range(random.randint(0, 3))]}
    value = draw_value(random)
    while op in ("lt", "le", "gt", "ge") and (isinstance(value, bool) or value == 2**70):
        value = draw_value(random)
    return {"property": name, "op": op, "value": random.choice(_TEXTS) if op == "starts" else value}


def draw_value(random: Random) -> Any:
    return random.choice([*_TEXTS, *_NUMBERS, True, False, "Host", "host", "api"])


def is_meant(body: dict[str, Any], shown: dict[str, Any]) -> bool:
    """Whether a search is about an asset, by all that is shown of it."""
    classes = shown["_class"] if isinstance(shown["_class"], list) else [shown["_class"]]
    if body.get("type") not in (None, shown["_type"]) or body.get("class") not in (None, *classes):
        return False
    if "text" in body and not any(_has(shown.get(name), body["text"]) for name in ("displayName", "_key", *INDEXED)):
        return False
    return "where" not in body or _is_true(body["where"], shown)


def _is_true(where: dict[str, Any], shown: dict[str, Any]) -> bool:
    if "and" in where:
        return all(_is_true(part, shown) for part in where["and"])
    if "or" in where:
        return any(_is_true(part, shown) for part in where["or"])
    if "not" in where:
        return not _is_true(where["not"], shown)
    held, op, value = shown.get(where["property"]), where["op"], where.get("value")
    if held is None:
        return False
    if op == "exists":
        return True
    if op == "in":
        return any(_same(held, each) for each in value)
    if op in ("eq", "ne"):
        return _same(held, value) == (op == "eq")
    if op == "contains":
        return any(_same(each, value) for each in held) if isinstance(held, list) else _has(held, value)
    if op == "starts":
        return isinstance(held, str) and _fold(held).startswith(_fold(value))
    if _order(held) is None or _order(held) != _order(value):
        return False
    return {"lt": held < value, "le": held <= value, "gt": held > value, "ge": held >= value}[op]


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _order(value: Any) -> str | None:
    """What a value can be compared with: texts, or numbers of 64 bits."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return "number" if -_LARGEST <= value < _LARGEST else None


def _has(held: Any, text: Any) -> bool:
    return isinstance(held, str) and isinstance(text, str) and _fold(text) in _fold(held)


def _fold(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def sort(assets: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """In order of the texts of a member, those without last, and by id where it is the same."""
    name, reverse = by.removeprefix("-"), by.startswith("-")
    there = [asset for asset in assets if asset[name] is not None]
    there.sort(key=lambda asset: asset["_id"], reverse=reverse)
    there.sort(key=lambda asset: asset[name], reverse=reverse)
    rest = [asset for asset in assets if asset[name] is None]
    return there + sorted(rest, key=lambda asset: asset["_id"], reverse=reverse)


def tally(assets: list[dict[str, Any]], name: str) -> dict[str, int]:
    """How many have each value of a facet, by the value's JSON."""
    member = {"type": "_type", "class": "_class"}.get(name, name)
    found: Counter[str] = Counter()
    for asset in assets:
        value = asset.get(member)
        found.update(json.dumps(each) for each in (value if isinstance(value, list) else [value]) if each is not None)
    return dict(found)


def check_facets(told: dict[str, Any], assets: list[dict[str, Any]], names: list[str]) -> None:
    """See that what was answered is the tally of each, those that most have first."""
    assert set(told) == {"facets"}
    assert set(told["facets"]) == set(names)
    for name, values in told["facets"].items():
        counts = [each["count"] for each in values]
        assert counts == sorted(counts, reverse=True)
        shown = [(json.dumps(each["value"]), each["count"]) for each in values]
        assert sorted(shown) == sorted(tally(assets, name).items()), name
