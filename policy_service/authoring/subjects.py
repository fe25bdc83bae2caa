"""In whose name lists are tried: somebody of each kind that a tenant's files tell apart.

Who asks is unknown before anybody does. Those whom `groups.csv` and `entities.json` name are known with all that
files say of them; others are stood in for by members of groups that policies name, and by somebody in no group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from policy_service.model import Entity, Uid
from policy_service.policy.bundle import Bundle
from policy_service.policy.names import GROUP, cedar_type, entity_text, is_reserved
from policy_service.policy.residual.asking import parts_of
from policy_service.policy.tree import Constant

# of those whom files name, and of groups that nobody among them is in
MOST = 24
_USER = cedar_type("user")


class Subject(NamedTuple):
    """Somebody to ask for: as people call him, and as he is stored, where he stands in for others with his groups."""

    name: str
    entity: Entity
    is_named: bool


def find_subjects(bundle: Bundle) -> list[Subject]:
    """Subjects of a tenant that differ in their type, their groups and parents, or at least their attributes."""
    types = Counter(uid.type for uid in bundle.groups.parents if uid.type != GROUP)
    named = list(islice(_find_named(bundle, set(types) or _find_types(bundle)), MOST))
    usual = types.most_common(1)[0][0] if types else next(iter(sorted(_find_types(bundle))), _USER)
    reached = {group for uid in named for group in bundle.groups.closure(uid)}
    absent = sorted(_find_groups(bundle) - reached)[:MOST]
    return [
        *(Subject(entity_text(uid), bundle.entities.get(uid, Entity(uid, {})), True) for uid in named),
        *(_stand_in(usual, f"a member of {entity_text(group)}", group) for group in absent),
        _stand_in(usual, "anybody else" if named else "anybody"),
    ]


def _stand_in(type_: str, name: str, *groups: Uid) -> Subject:
    return Subject(name, Entity(Uid(type_, name), {}, frozenset(groups)), False)


def _find_named(bundle: Bundle, types: set[str]) -> Iterator[Uid]:
    """Members of groups and entities of files, of these types: first one of each set of groups, then the others."""
    seen: set[object] = set()
    others = []
    for uid in dict.fromkeys(chain(bundle.entities, bundle.groups.parents)):
        if uid.type not in types:
            continue
        entity = bundle.entities.get(uid)
        kind = (uid.type, bundle.groups.parents.get(uid), entity.parents if entity else frozenset())
        if kind not in seen:
            seen.add(kind)
            yield uid
        elif entity and entity.attributes:
            others.append(uid)
    yield from others


def _find_types(bundle: Bundle) -> set[str]:
    """The types that policies say subjects are of; those of `entities.json` where they say none."""
    keys = [key for policy in bundle.layer.policies for key in policy.scope.principal or ()]
    types = {name if isinstance(name, str) else name.type for kind, name in keys if kind in ("is", "==")}
    return {type_ for type_ in types if not is_reserved(type_)} or set(bundle.file_types)


def _find_groups(bundle: Bundle) -> set[Uid]:
    """The groups that policies name."""
    policies = (*bundle.platform.policies, *bundle.layer.policies)
    found = {name for policy in policies for _, name in policy.scope.principal or ()}
    open_ = [condition for policy in policies for condition in policy.rule.conditions]
    while open_:
        part = open_.pop()
        if isinstance(part, Constant) and isinstance(part.value, Uid):
            found.add(part.value)
        open_ += parts_of(part)
    return {name for name in found if isinstance(name, Uid) and name.type == GROUP}
