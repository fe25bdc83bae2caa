"""The slow obvious model: what a decision *is*, for the fragment of policies that all three languages can say.

Nothing here is shared with the service. A rule names a subject id, an action and a resource id, or anyone,
and one condition on an attribute of the subject. `render_*` writes the same rule in each language.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One policy of the common fragment."""

    id: str
    effect: str  # permit | forbid
    subject: str | None = None
    action: str | None = None
    resource: str | None = None
    attribute: str | None = None
    operator: str = "=="  # == != < <= > >=
    constant: Any = 0


@dataclass(frozen=True)
class Ask:
    """One request of the common fragment; all subjects have the type `user`, all resources the type `doc`."""

    subject: str
    action: str
    resource: str
    attributes: dict[str, Any] = field(default_factory=dict)


SATISFIED, NOT, FAILED = "satisfied", "not satisfied", "failed"


def judge(rule: Rule, ask: Ask) -> str:
    """Whether a rule is satisfied by a request, is not, or fails to be evaluated."""
    if rule.subject not in (None, ask.subject):
        return NOT
    if rule.action not in (None, ask.action):
        return NOT
    if rule.resource not in (None, ask.resource):
        return NOT
    if rule.attribute is None:
        return SATISFIED
    if rule.attribute not in ask.attributes:
        return FAILED
    value, constant = ask.attributes[rule.attribute], rule.constant
    if type(value) is not type(constant):
        return FAILED
    holds = {
        "==": value == constant,
        "!=": value != constant,
        "<": value < constant,
        "<=": value <= constant,
        ">": value > constant,
        ">=": value >= constant,
    }[rule.operator]
    return SATISFIED if holds else NOT


def decide(rules: list[Rule], ask: Ask) -> tuple[bool, set[str], set[str]]:
    """Whether it is allowed, the ids of the rules that determined it, the ids of those that failed."""
    judged = {rule: judge(rule, ask) for rule in rules}
    failed = {rule.id for rule, verdict in judged.items() if verdict == FAILED}
    forbids = {rule.id for rule, v in judged.items() if v == SATISFIED and rule.effect == "forbid"}
    permits = {rule.id for rule, v in judged.items() if v == SATISFIED and rule.effect == "permit"}
    if forbids:
        return False, forbids, failed
    if any(verdict == FAILED and rule.effect == "forbid" for rule, verdict in judged.items()):
        return False, set(), failed
    return (True, permits, failed) if permits else (False, set(), failed)


def render_cedar(rule: Rule) -> str:
    """The rule as a Cedar policy."""
    principal = f'principal == user::"{rule.subject}"' if rule.subject else "principal"
    action = f'action == Action::"{rule.action}"' if rule.action else "action"
    resource = f'resource == doc::"{rule.resource}"' if rule.resource else "resource"
    when = ""
    if rule.attribute:
        constant = json.dumps(rule.constant)
        when = f" when {{ principal.{rule.attribute} {rule.operator} {constant} }}"
    return f'@id("{rule.id}") {rule.effect}({principal}, {action}, {resource}){when};\n'


def render_abac(rule: Rule) -> str:
    """The rule as a py-abac policy."""
    numeric = {"==": "Eq", "!=": "Neq", "<": "Lt", "<=": "Lte", ">": "Gt", ">=": "Gte"}
    textual = {"==": "Equals", "!=": "NotEquals"}
    rules: dict[str, Any] = {}
    if rule.attribute:
        names = textual if isinstance(rule.constant, str) else numeric
        condition = {"condition": names[rule.operator], "value": rule.constant}
        rules = {"subject": {f"$.{rule.attribute}": condition}}
    targets = {
        "subject_id": rule.subject,
        "action_id": rule.action,
        "resource_id": rule.resource,
    }
    return json.dumps(
        {
            "uid": rule.id,
            "effect": "allow" if rule.effect == "permit" else "deny",
            "rules": rules,
            "targets": {name: value for name, value in targets.items() if value},
        },
        indent=1,
    )


def render_casbin(rule: Rule) -> tuple[str, str]:
    """The rule as a casbin model and its one line of policy."""
    matcher = [
        f"r.{name} == p.{name}"
        for name, value in (("sub", rule.subject), ("act", rule.action), ("obj", rule.resource))
        if value
    ]
    if rule.attribute:
        matcher.append(f"r.sub.{rule.attribute} {rule.operator} {json.dumps(rule.constant)}")
    model = "\n".join(
        [
            "[request_definition]",
            "r = sub, obj, act, ctx",
            "[policy_definition]",
            "p = sub, obj, act, eft",
            "[policy_effect]",
            "e = some(where (p.eft == allow)) && !some(where (p.eft == deny))",
            "[matchers]",
            f"m = {' && '.join(matcher) or 'True'}",
            "",
        ]
    )
    effect = "allow" if rule.effect == "permit" else "deny"
    return model, f"p, {rule.subject or 'any'}, {rule.resource or 'any'}, {rule.action or 'any'}, {effect}\n"


# What a store is, for a tenant: a dictionary of its own. Whatever is said about another account finds nothing and
# changes nothing, and is answered as it would be if there were no other tenant.

REFUSED = "refused"


@dataclass(frozen=True)
class Deed:
    """Something done in a tenant's session, of which `account` and `id` may be another's."""

    act: str
    account: str
    id: str
    name: str


def do(mine: dict[str, str], tenant: str, deed: Deed) -> Any:
    """The answer, or `REFUSED`, after which nothing of the transaction holds; `mine` are names by id, and change."""
    is_ours = deed.account == tenant
    there = is_ours and deed.id in mine
    if deed.act == "read":
        return mine[deed.id] if there else None
    if deed.act == "list":
        return sorted(mine.items())
    if deed.act == "count":
        return len(mine)
    if deed.act in ("add", "put"):
        if not is_ours or (there and deed.act == "add"):
            return REFUSED
        mine[deed.id] = deed.name
        return None
    if deed.act in ("change", "remove"):
        ids = [deed.id] if there else []
    elif deed.act in ("change_all", "remove_all"):
        ids = list(mine)
    else:
        # `move`: to write another account into a row of one's own
        ids = [deed.id] if deed.id in mine else []
        if ids and not is_ours:
            return REFUSED
    for id_ in ids:
        if deed.act.startswith("remove"):
            del mine[id_]
        elif deed.act.startswith("change"):
            mine[id_] = deed.name
    return len(ids)
