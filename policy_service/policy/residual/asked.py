"""A question one side of which is any row: all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from policy_service.model import Entity, Thing, Uid, Value
from policy_service.policy.scope import Compiled, Needs

Unknown: TypeAlias = Literal["principal", "resource"]

# what a request names where it means any; with properties, each has those
ANY = Thing("", "")


@dataclass(frozen=True, slots=True)
class Asked:
    """The facts of a question whose `unknown` side is any row.

    known     the other side, as a decision sees it: with overlay, `tenant` and all ancestors
    overlay   attributes that the request gives to whichever row it is; they win over those that are stored
    context   with `now` and `caller` where some policy reads them
    entities  what was looked up, `known` and `action` among them; `None` where there is nothing
    drawn     the names of attributes that stored relationships draw
    twofold   rows of which an overlay changes what is known of them here too: nobody but `decide` can tell of these
    """

    unknown: Unknown
    known: Entity
    action: Entity
    overlay: Mapping[str, Value]
    context: dict[str, Value]
    entities: dict[Uid, Entity | None]
    policies: tuple[Compiled, ...]
    needs: Needs
    drawn: frozenset[str]
    twofold: frozenset[Uid] = frozenset()
