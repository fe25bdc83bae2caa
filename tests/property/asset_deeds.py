"""What is asked of the asset API, drawn by a number: each deed is a method of `Run` and its arguments.

Assets are named by tenant, kind and key. For the most part a deed is about what is there and is the caller's; now and
then about what is another tenant's, of another kind, deleted, or never was.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.property.asset_searches import SORTS, draw_search
from tests.property.asset_spec import WHO, Ref
from tests.property.asset_worlds import Caller

KEYS = {"entity": ("e1", "e2", "e3"), "relationship": ("r1", "r2", "r3", "r4")}
Deed = tuple[Any, ...]


def draw_deeds(random: Random, count: int) -> list[Deed]:
    """An administrator of each tenant fills it and looks at it; then everybody asks for anything."""
    deeds: list[Deed] = []
    for tenant in (0, 1):
        ada = Caller(tenant, "ada")
        deeds.append(("batch", ada, [(("entity", key), draw_body(random, tenant)) for key in KEYS["entity"]]))
        deeds += [("create", ada, ("relationship", key), draw_body(random, tenant)) for key in KEYS["relationship"]]
        deeds.append(("list", random.choice([ada, Caller(tenant, "act", "user:ada")]), "entity", ("", ""), 1))
    return deeds + [draw_deed(random) for _ in range(count)]


def draw_deed(random: Random) -> Deed:
    """One of all the kinds of requests."""
    caller = draw_caller(random)
    ref = draw_ref(random)
    kind = ref[0] if random.random() < 0.95 else random.choice(list(KEYS))
    place = draw_tenant(random, caller.tenant), ref
    guard = random.choice(["", "", "", "*", "current", "current", "stale", "foreign"])
    drawn = [draw_body(random, caller.tenant) for _ in range(3)]
    verbs = {
        "create": (ref, drawn[0]),
        "batch": ([(("entity", random.choice(KEYS["entity"])), body) for body in drawn[: random.randint(1, 3)]],),
        "read": (place, kind, guard),
        "change": (place, kind, guard, random.choice(["PUT", "PATCH"]), draw_ref(random), drawn[0]),
        "delete": (place, kind, guard),
        "list": (
            kind,
            (random.choice(["", "", "host", "owns"]), random.choice(["", "", "Host"])),
            random.randint(1, 3),
        ),
        "search": (kind, draw_search(random, kind), random.choice(SORTS), random.randint(1, 3)),
        "resume": (random.randrange(10), random.choice(["same", "subject", "key", "list"])),
        "walk": (place, draw_way(random)),
        "decide": (place, random.choice(WHO)),
    }
    weights = [5, 2, 4, 6, 4, 2, 8, 2, 4, 1]
    (verb,) = random.choices(list(verbs), weights)
    return verb, caller, *verbs[verb]


def draw_caller(random: Random) -> Caller:
    """Mostly somebody, by a key of his own or by one that names him."""
    tenant = random.choice([0, 0, 1])
    who = random.choice(["ada", "ada", "rae", "pat", "pat", "pat", "eve"])
    chance = random.random()
    if chance < 0.6:
        return Caller(tenant, who)
    if chance < 0.9:
        return Caller(tenant, "act", f"user:{who}")
    named = random.choice([None, f"user:{who}", "Group:Administrators"])
    return Caller(tenant, random.choice(["act", "glance", "nobody", who]), named)


def draw_tenant(random: Random, own: int) -> int:
    return own if random.random() < 0.8 else 1 - own


def draw_ref(random: Random) -> Ref:
    kind = random.choice(["entity", "entity", "relationship"])
    return kind, random.choice(KEYS[kind])


def draw_body(random: Random, tenant: int) -> dict[str, Any]:
    """What an entity or a relationship may be made of; each takes of it what it has."""
    chosen = {
        "color": (0.7, ["red", "red", "blue", None]),
        "tag.env": (0.5, ["test", "test", "prod", None]),
        "frozen": (0.2, [True, False, None]),
        "size": (0.4, [1, 1.5, 2**70, True, "1", ["a", "b"], None]),
        "note": (0.7, [""]),
    }
    return {
        "type": "zone" if random.random() < 0.04 else "host",
        "drawn": random.choice(["owns", "lies_in", "lies_in", "knows"]),
        "classes": random.choice([("Host",), ("Host", "Team"), ("Team",)]),
        "name": random.choice([None, "web"]),
        "values": {name: random.choice(found) for name, (chance, found) in chosen.items() if random.random() < chance},
        "ends": (draw_end(random, tenant), draw_end(random, tenant)),
    }


def draw_end(random: Random, tenant: int) -> tuple[int, Ref, bool]:
    """An end of a relationship: whose asset, which, and whether it is named by its id or by its key."""
    ref = ("entity", random.choice(KEYS["entity"]))
    chance = random.random()
    if chance < 0.15:
        ref = ("zone", random.choice(["north", "south"]))
    elif chance < 0.2:
        ref = ("relationship", random.choice(KEYS["relationship"]))
    return (tenant if random.random() < 0.9 else 1 - tenant), ref, random.random() < 0.6


def draw_way(random: Random) -> tuple[str, str, tuple[str, ...], int]:
    """How to walk."""
    verb = random.choice(["neighbours", "walk", "walk"])
    types = random.choice([(), (), ("owns",), ("lies_in", "knows")])
    return verb, random.choice(["out", "in", "both", "both"]), types, random.randint(1, 3)
