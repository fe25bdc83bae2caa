"""What is too large for a repository, or what git can't store: written when the test runs.

A builder fills the folder of a tenant that has its `tenant.yaml`. `MONSTERS` names what its first finding must
begin with, after the folder's own path; nothing where it loads.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

Builder: TypeAlias = Callable[[Path], None]

PERMIT = "permit (principal, action, resource);\n"
MODEL = (
    "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n[role_definition]\ng = _, _\n"
    "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = "
)
CASES = "cases:\n  - {subject: 'user:alice', action: read, resource: 'doc:1', expect: deny}\n"
MONSTERS: dict[str, tuple[Builder, str]] = {}


def monster(name: str, told: str = "") -> Callable[[Builder], Builder]:
    """Name a builder and say what it must be told."""

    def keep(builder: Builder) -> Builder:
        MONSTERS[name] = builder, told
        return builder

    return keep


def fill(name: str, files: Mapping[str, str | Callable[[], str]], told: str = "") -> None:
    """A monster of files alone."""

    def build(folder: Path) -> None:
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text if isinstance(text, str) else text(), encoding="utf-8")

    MONSTERS[name] = build, told


def lines(line: str, numbers: Iterable[int]) -> Callable[[], str]:
    """One line for each number, which stands for `{}`."""
    return lambda: "".join(line.replace("{}", str(number)) + "\n" for number in numbers)


def casbin(matcher: str, rows: str | Callable[[], str]) -> dict[str, str | Callable[[], str]]:
    """A folder with this matcher and these lines."""
    return {"a.casbin/model.conf": f"{MODEL}{matcher}\n", "a.casbin/policy.csv": rows}


def abac(number: int, **members: object) -> dict[str, object]:
    """A py-abac policy."""
    return {"uid": f"u{number}", "effect": "deny", "targets": {}, "rules": {}, **members}


# --- what a folder may hold besides files


@monster("link-to-a-file-outside", "/a.cedar:1: is a link that leads out of the folder")
def link_outside(folder: Path) -> None:
    (folder.parent.parent / "secret.cedar").write_text(PERMIT)
    (folder / "a.cedar").symlink_to(folder.parent.parent / "secret.cedar")


@monster("link-to-another-tenant", "/other:1: is a link that leads out of the folder")
def link_to_tenant(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "a.cedar").write_text(PERMIT)
    (folder / "other").symlink_to("../other")


@monster("link-to-the-folder-itself", "/again:1: is a link to a folder, which is not followed")
def link_to_self(folder: Path) -> None:
    (folder / "again").symlink_to(".")


@monster("link-to-nothing", "/a.cedar:1: can't be read: no such file or directory")
def link_to_nothing(folder: Path) -> None:
    (folder / "a.cedar").symlink_to("b.cedar")


@monster("links-in-a-circle", "/a.cedar:1: can't be read: too many levels of symbolic links")
def links_in_a_circle(folder: Path) -> None:
    (folder / "a.cedar").symlink_to("b.cedar")
    (folder / "b.cedar").symlink_to("a.cedar")


@monster("link-to-a-device", "/a.cedar:1: is a link that leads out of the folder")
def link_to_device(folder: Path) -> None:
    (folder / "a.cedar").symlink_to("/dev/zero")


@monster("pipe", "/a.cedar:1: is no regular file")
def pipe(folder: Path) -> None:
    os.mkfifo(folder / "a.cedar")


@monster("socket", "/a.cedar:1: is no regular file")
def unix_socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(folder, os.O_RDONLY)  # the path itself may be too long for a socket
        server.bind(f"/proc/self/fd/{here}/a.cedar")
        os.close(here)


@monster("folder-named-as-a-policy")
def folder_as_policy(folder: Path) -> None:
    (folder / "a.cedar").mkdir()
    (folder / "tenant.d").mkdir()


@monster("name-that-is-no-text", "/\\udcff.cedar:1: has a name with characters that can't be printed, or no UTF-8")
def name_of_bytes(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.cedar")).write_text(PERMIT)


@monster("name-with-a-newline", "/a\\ntenants:1: has a name with characters that can't be printed")
def name_with_newline(folder: Path) -> None:
    target = folder / "a\ntenants" / "x"
    target.parent.mkdir()
    target.write_text(PERMIT)


@monster("names-that-differ-by-case", "/b.cedar:1: differs from `B.cedar` by case only")
def names_by_case(folder: Path) -> None:
    (folder / "B.cedar").write_text(PERMIT)
    (folder / "b.cedar").write_text(PERMIT)


@monster("names-that-differ-by-accents", "/caf\u00e9.cedar:1: differs from `cafe\u0301.cedar` by case only")
def names_by_accents(folder: Path) -> None:
    (folder / "caf\u00e9.cedar").write_text(PERMIT)
    (folder / "cafe\u0301.cedar").write_text(PERMIT)


@monster("deep-folders", "/d/d/d/d/d/d/d/d:1: folders nested deeper than 8 levels")
def deep_folders(folder: Path) -> None:
    (folder / "/".join("d" * 200)).mkdir(parents=True)


@monster("ten-thousand-files", ":1: more than 8000 entries")
def many_files(folder: Path) -> None:
    for number in range(10_000):
        (folder / f"{number}.cedar").touch()


@monster("ten-thousand-hidden-files", ":1: more than 8000 entries")
def many_hidden_files(folder: Path) -> None:
    for number in range(10_000):
        (folder / f".{number}").touch()


@monster("sparse-terabyte", "/a.cedar:1: 1099511627776 bytes, at most 8388608, split it")
def sparse(folder: Path) -> None:
    (folder / "a.cedar").touch()
    os.truncate(folder / "a.cedar", 2**40)


@monster("hundred-megabytes", ":1: 104857614 bytes, at most 67108864")
def large_together(folder: Path) -> None:
    for number in range(20):
        (folder / f"{number}.cedar").touch()
        os.truncate(folder / f"{number}.cedar", 5 * 2**20)


# --- Cedar


def deep(opening: str, closing: str, levels: int, inside: str = "1") -> str:
    return f"permit (principal, action, resource) when {{ {opening * levels}{inside}{closing * levels} == 1 }};\n"


for _name, _text, _told in (
    ("parentheses", deep("(", ")", 20_000), "/a.cedar:1: the policy nests brackets deeper"),
    ("sets", deep("[", "]", 20_000), "/a.cedar:1: the policy nests brackets deeper"),
    ("records", deep("{a:", "}", 10_000), "/a.cedar:1: the policy nests brackets deeper"),
    ("ifs", deep("if true then ", " else 1", 3_000), "/a.cedar:1: the policy has more than 1000 operators"),
    ("nots", deep("!", "", 60_000), "/a.cedar:1: the policy has more than 1000 operators"),
    ("ands", deep("true && ", "", 8_000), "/a.cedar:1: the policy has more than 1000 operators"),
    ("sums", deep("1 + ", "", 16_000), "/a.cedar:1: the policy has more than 1000 operators"),
    ("attributes", deep("", ".a", 30_000, "context"), "/a.cedar:1: the policy has more than 1000 operators"),
    ("indices", deep("", '["a"]', 10_000, "context"), "/a.cedar:1: the policy has more than 1000 operators"),
    ("calls", deep("", ".isEmpty()", 6_000, "context"), "/a.cedar:1: the policy has more than 1000 operators"),
    ("names", deep("a::", '"x"', 1, "a::" * 20_000), "/a.cedar:1: the policy has more than 1000 operators"),
    ("clauses", PERMIT[:-2] + " when { true }" * 4_000 + ";", "/a.cedar:1: the policy has more than 64 conditions"),
    ("annotations", '@a("b")' * 9_000 + PERMIT, "/a.cedar:1: the policy has more than 1000 operators"),
    ("openings", "({[" * 2_700_000, "/a.cedar:1: the policy that starts here is larger than 65536 bytes"),
    ("quotes", '"' * 8_000_001, "/a.cedar:1: the policy that starts here is larger than 65536 bytes"),
    ("nested-ifs", deep("if true then ", " else 1", 150), "/a.cedar:1: the policy nests expressions deeper"),
):
    fill(f"cedar-{_name}", {"a.cedar": _text}, _told)
fill("cedar-semicolons", {"a.cedar": ";" * 8_000_000}, "/a.cedar:1: invalid Cedar: unexpected token `;`")
fill("cedar-thousands-broken", {"a.cedar": lines("permit (principal = {});", range(20_000))}, "/a.cedar:1: invalid")
fill("cedar-too-many", {f"{n}.cedar": PERMIT * 7_000 for n in range(4)}, ":1: 21000 policies, at most 20000")
SET = "entity user = {{ a: {}Long{} }};\n"
fill(
    "schema-sets",
    {"schema.cedarschema": SET.format("Set<" * 20_000, ">" * 20_000)},
    "/schema.cedarschema:1: the schema nests",
)
fill(
    "schema-types-written-out",
    {
        "schema.cedarschema": "type T0 = { a: Long };\n"
        + "".join(f"type T{n + 1} = {{ a: T{n}, b: T{n} }};\n" for n in range(60))
    },
    "/schema.cedarschema:14: the types of the schema become too large",
)

# --- JSON and py-abac


@monster("abac-million-combinations")
def abac_combinations(folder: Path) -> None:
    ids = [f"a{number}" for number in range(2_500)]
    targets = {"subject_id": ids, "resource_id": ids, "action_id": ids}
    (folder / "a.abac.json").write_text(json.dumps(abac(0, targets=targets)))


@monster("abac-patterns", "/a.abac.json:1: more than 524288 bytes of patterns")
def abac_patterns(folder: Path) -> None:
    globs = [f"*?{number}?*[a-z]*" + "?" * 200 for number in range(250)]
    policies = [abac(number, targets={"subject_id": globs}) for number in range(60)]
    (folder / "a.abac.json").write_text(json.dumps(policies))


fill("abac-scalars", {"a.abac.json": f"[{'1,' * 3_000_000}1]"}, "/a.abac.json:1: more than 20000 policies")
fill("abac-large", {"a.abac.json": json.dumps(abac(0, description="x" * 70_000))}, "/a.abac.json:1: a policy is larger")
fill("json-deep", {"a.abac.json": '{"a":' * 1_000_000}, "/a.abac.json:1: nested deeper than 32 levels")
fill(
    "json-member-twice-among-many",
    {"entities.json": lambda: "{" + "".join(f'"a{number}": 1,\n' for number in range(400_000)) + '"a7": 2}'},
    "/entities.json:400001: the member `a7` stands twice",
)
fill("json-digits", {"entities.json": f"[{'1' * 8_000_000}]"}, "/entities.json:1: a number beyond the range")
fill("json-decimals", {"entities.json": f"[0.{'1' * 8_000_000}]"}, "/entities.json:1: a number of more than 4000")
fill(
    "entities-with-huge-ids",
    {
        "entities.json": lambda: json.dumps(
            [{"uid": {"id": "x" * 40_000 + str(n), "type": "Group"}} for n in range(190)]
        )
    },
    "/entities.json:1: `Group` is a type that only the service may make",
)
fill(
    "entities-none-of-which-is-one",
    {"entities.json": f"[{'1,' * 2_000_000}1]"},
    "/entities.json:1: an item is no object",
)

# --- casbin

fill(
    "casbin-model",
    {"a.casbin/model.conf": "[x]\n" * 2_000_000, "a.casbin/policy.csv": ""},
    "/a.casbin/model.conf:1: the model is longer than 65536 characters",
)
fill(
    "casbin-patterns",
    casbin("regexMatch(r.obj, p.obj)", lines(f"p, a, {'(a|b[c-d]x?)' * 75}{{}}, read", range(4_000))),
    "/a.casbin/policy.csv:581: more than 524288 bytes of patterns",
)
fill(
    "casbin-globs",
    casbin("globMatch(r.obj, p.obj)", lines(f'p, a, "/{"{a,b}" * 6}{{}}", read', range(2_000))),
    "/a.casbin/policy.csv:245: more than 524288",
)
fill(
    "casbin-members-and-permissions",
    casbin(
        "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act",
        lambda: lines("g, a{}, role", range(900))() + lines("p, role, o{}, a{}", range(10_000))(),
    ),
)
fill(
    "casbin-alternatives",
    casbin(
        f"(r.sub == p.sub || {' || '.join(f'r.sub == {n!r}' for n in map(str, range(300)))})", "p, a, b, c\n" * 9_000
    ),
)
fill(
    "casbin-chain",
    casbin(
        "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act",
        lambda: "".join(f"g, r{n}, r{n + 1}\n" for n in range(50_000)) + "p, r50000, doc, read\n",
    ),
)
fill(
    "casbin-long-line",
    casbin("r.sub == p.sub", f"p, {'a,' * 1_000_000}\n"),
    "/a.casbin/policy.csv:1: the line is longer",
)

# --- groups

fill("groups-million-lines", {"groups.csv": lines("g, user:u{}, group:editors, monster", range(1_000_000))})
fill(
    "groups-chain", {"groups.csv": lambda: "".join(f"g, group:g{n}, group:g{n + 1}, monster\n" for n in range(60_000))}
)
fill(
    "groups-circle",
    {"groups.csv": lambda: "".join(f"g, group:g{n}, group:g{(n + 1) % 60_000}, monster\n" for n in range(60_000))},
    "/groups.csv:1: groups in a circle: `group:g0` in `group:g1`",
)
fill("groups-commas", {"groups.csv": "ab," * 20_000_000}, "/groups.csv:1: 20000001 fields")
fill(
    "groups-and-case-files",
    {
        "groups.csv": lines("g, user:u{}, group:g{}, monster", range(90_000)),
        **{f"cases/{n}.yaml": "groups: {editors: ['user:alice']}\n" + CASES for n in range(300)},
    },
)

# --- YAML and cases

fill("yaml-settings", {"tenant.yaml": lines("a{}: 1", range(600_000))}, "/tenant.yaml:100000: more than 100000 values")
fill("yaml-list", {"cases/a.yaml": "cases: [" + "1," * 1_900_000 + "]"}, "/cases/a.yaml:1: more than 100000 values")
fill("yaml-deep", {"cases/a.yaml": "[" * 1_000_000}, "/cases/a.yaml:1: invalid YAML: exceeded maximum nesting depth")
fill("yaml-keys", {"cases/a.yaml": "? " * 1_000_000}, "/cases/a.yaml:1: a key that is no text")
fill("yaml-too-many-bytes", {f"cases/{n}.yaml": "#" * 900_000 for n in range(5)}, "/cases:1: 4500000 bytes of cases")
fill(
    "cases-thousand-million",
    {
        "cases/a.yaml": "cases:\n  - expect: deny\n    subjects: ["
        + ", ".join(f"'u:{n}'" for n in range(1_000))
        + "]\n    actions: ["
        + ", ".join(f"a{n}" for n in range(1_000))
        + "]\n    resources: ["
        + ", ".join(f"'d:{n}'" for n in range(1_000))
        + "]\n"
    },
    "/cases/a.yaml:2: more than 20000 cases",
)
