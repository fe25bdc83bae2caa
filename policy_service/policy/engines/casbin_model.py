"""A casbin model, checked: what `model.conf` may say here, and a finding for everything else.

Tokens of the request, by name: `sub`, `subject`, `user`, `principal` are the subject; `obj`, `object`,
`resource`, `thing` the resource; `act`, `action` the action; `ctx`, `context`, `env` the context. Where none
names the subject, the first token is the subject, unless it has another of these names. Any other token
(`dom`, `org`) is the attribute of that name of the context.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policy_service.model import Finding
from policy_service.policy.engines.casbin_matcher import Matcher, MatcherError, Names, parse_matcher

TOKENS: Final = {
    **dict.fromkeys(("sub", "subject", "user", "principal"), "subject"),
    **dict.fromkeys(("obj", "object", "resource", "thing"), "resource"),
    **dict.fromkeys(("act", "action"), "action"),
    **dict.fromkeys(("ctx", "context", "env"), "context"),
}
ALLOW_OVERRIDE: Final = "some(where(p.eft==allow))"
ALLOW_AND_DENY: Final = "some(where(p.eft==allow))&&!some(where(p.eft==deny))"

_SECTIONS: Final = {
    "request_definition": "r",
    "policy_definition": "p",
    "policy_effect": "e",
    "matchers": "m",
    "role_definition": "g",
}
_ROLE: Final = re.compile(r"g[2-9]?")
_EFFECTS: Final = {
    "!some(where(p.eft==deny))": "in Cedar: `permit (principal, action, resource);` and a `forbid` for each deny line",
    "priority(p.eft)||deny": "in Cedar, where forbid wins: a `permit`, and `forbid … unless { … }` for the rest",
    "subjectPriority(p.eft)||deny": 'in Cedar, where forbid wins: `forbid … unless { principal in Group::"…" }`',
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was accepted: the columns of `p`, the role functions and the matcher."""

    columns: tuple[str, ...]
    roles: tuple[str, ...]
    matcher: Matcher

    @property
    def guarded(self) -> frozenset[str]:
        """The targets that can have roles: their ids are not taken for the name of one."""
        return frozenset(target for _, target, _ in self.matcher.roles)


class _Refused(Exception):
    """A sentence, and the section and option that it is about."""

    def __init__(self, option: tuple[str, str], sentence: str) -> None:
        super().__init__(sentence)
        self.option = option


def read_model(path: str, text: str, read: Mapping[str, Mapping[str, str]]) -> tuple[Model | None, list[Finding]]:
    """The model of `text`, and what is wrong with it; `read` are the options as the library reads the same text."""
    lines, findings = _scan(path, text, read)
    if findings:
        return None, findings
    try:
        return _check(read), []
    except _Refused as refused:
        return None, [Finding(path, lines.get(refused.option, 1), str(refused))]


def _scan(
    path: str, text: str, read: Mapping[str, Mapping[str, str]]
) -> tuple[dict[tuple[str, str], int], list[Finding]]:
    """The line of each option, and a finding where the library drops, joins or overwrites something.

    It reads lines as the library does: a `\\` at the end joins the next one, blank lines and comments end an
    option, the last of two options of one name wins. So a comment inside a matcher would cut it.
    """
    found: dict[tuple[str, str], int] = {}
    wrong: list[tuple[int, str]] = []
    section, joined = "", False
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            if joined:
                wrong.append((number, "casbin ends the option before this line, take out the `\\` or this line"))
            joined = False
            continue
        if line[0] == "[" and line[-1] == "]":
            section, joined = line[1:-1], False
            if section not in _SECTIONS:
                wrong.append((number, f"casbin ignores `[{section[:40]}]`, it reads {', '.join(_SECTIONS)}"))
            continue
        if not joined and section in _SECTIONS:
            option = (section, line.split("=", 1)[0].strip())
            if option in found:
                wrong.append((number, f"`{option[1][:40]}` stands twice, the last one would win"))
            elif not _is_option(*option):
                known = _SECTIONS[section]
                wrong.append((number, f"casbin ignores `{option[1][:40]}` in [{section}], it reads `{known}`"))
            found[option] = number
        joined = line[-1] == "\\"
    options = {(name, option) for name, values in read.items() for option in values}
    if not wrong and options != set(found):
        wrong.append((1, "casbin reads this file in another way than it looks, write each option on a line"))
    return found, [Finding(path, number, sentence) for number, sentence in wrong]


def _is_option(section: str, option: str) -> bool:
    return option == _SECTIONS[section] or (section == "role_definition" and _ROLE.fullmatch(option) is not None)


def _check(read: Mapping[str, Mapping[str, str]]) -> Model:
    values: dict[str, str] = {}
    for section, option in _SECTIONS.items():
        value = read.get(section, {}).get(option, "")
        if not value and option != "g":
            raise _Refused((section, option), f"the model has no `{option}` in [{section}], add it")
        values[option] = value
    tokens = _split("request_definition", "r", values["r"])
    columns = _split("policy_definition", "p", values["p"])
    if "priority" in columns:
        raise _Refused(("policy_definition", "p"), "`priority` orders nothing here: forbid wins, take the column out")
    _check_effect(values["e"], "eft" in columns)
    roles = read.get("role_definition", {})
    for name, value in roles.items():
        if re.sub(r"\s", "", value) != "_,_":
            raise _Refused(
                ("role_definition", name),
                f"`{name} = {value[:40]}` is not supported, write `{name} = _, _`: a tenant is a domain already, "
                "and a role within something is a group or an attribute in Cedar",
            )
    names = Names(_map_tokens(tokens), columns, tuple(roles))
    try:
        matcher = parse_matcher(values["m"], names)
    except MatcherError as error:
        raise _Refused(("matchers", "m"), str(error)) from None
    return Model(columns, tuple(roles), matcher)


def _split(section: str, option: str, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(","))
    for name in names:
        if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
            raise _Refused(
                (section, option), f"`{name[:40]}` is no name, write letters, digits and `_` with commas between"
            )
        if names.count(name) > 1:
            raise _Refused((section, option), f"`{name}` stands twice")
    return names


def _map_tokens(tokens: tuple[str, ...]) -> dict[str, str]:
    mapped = {token: TOKENS.get(token, f"context.{token}") for token in tokens}
    if "subject" not in mapped.values() and tokens[0] not in TOKENS:
        mapped[tokens[0]] = "subject"
    meant = list(mapped.values())
    for token, meaning in mapped.items():
        if meant.count(meaning) > 1:
            raise _Refused(("request_definition", "r"), f"`{token}` and another token mean the {meaning}, keep one")
    return mapped


def _check_effect(value: str, has_effect: bool) -> None:
    option = ("policy_effect", "e")
    spelled = re.sub(r"\s", "", value)
    if spelled == ALLOW_AND_DENY or (spelled == ALLOW_OVERRIDE and not has_effect):
        return
    if spelled == ALLOW_OVERRIDE:
        raise _Refused(
            option,
            "this effect ignores every deny line: add `&& !some(where (p.eft == deny))`, or take `eft` out of `p`",
        )
    advice = _EFFECTS.get(spelled, "in Cedar, or use `some(where (p.eft == allow)) && !some(where (p.eft == deny))`")
    raise _Refused(option, f"the effect `{value[:80]}` is not supported, write it {advice}")
