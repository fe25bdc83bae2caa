"""From the files of one folder to a `Layer`: each file is read by its ending; one of no known ending is a finding.

A file that is not read loses its denies silently, so nothing is skipped but what is plainly no policy:
`*.md`, `keys.yaml`, and whatever is named with a dot in front.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from policy_service.model import Engine, Finding
from policy_service.policy.cases import Case, parse_cases
from policy_service.policy.endings import (
    ENTITIES,
    GROUPS,
    LINES,
    MODEL,
    RELATIONSHIPS,
    SCHEMA,
    SETTINGS,
    explain_unknown,
)
from policy_service.policy.engines import abac, casbin, cedar, cedar_schema
from policy_service.policy.engines.abac import AbacPolicy
from policy_service.policy.engines.casbin import CasbinLine
from policy_service.policy.engines.cedar import CedarPolicy
from policy_service.policy.entities import parse_entities
from policy_service.policy.groups import Groups, parse_groups
from policy_service.policy.layer import Layer
from policy_service.policy.relationships import Drawing, parse_relationships
from policy_service.policy.scope import LIMITS, Compiled
from policy_service.policy.sentences import write_line
from policy_service.policy.settings import parse_settings

__all__ = ["Layer", "is_ignored", "most_bytes", "parse_layer"]

_FINDINGS = 200
_BOM = b"\xef\xbb\xbf"


def is_ignored(path: str) -> bool:
    """Whether a file is no part of a layer: prose, the hashes of keys, and names with a dot in front."""
    parts = path.split("/")
    return any(part.startswith(".") for part in parts) or path == "keys.yaml" or path.endswith(".md")


def most_bytes(path: str) -> int:
    """How large the file at `path` may be; a million lines of groups fit, anything else is smaller."""
    return LIMITS.layer_bytes if path == GROUPS else LIMITS.file_bytes


def parse_layer(root: str, files: Mapping[str, bytes], *, tenant: str | None) -> Layer:
    """The layer that `files` make, paths relative to `root`; with any finding it holds the findings alone.

    `tenant` is none for the platform's layer, which holds at least one policy and nothing that belongs to a tenant.
    """
    names = tuple(sorted(path for path in files if not is_ignored(path)))
    reading = _Reading(root, tenant)
    reading.check_names(names)
    reading.check_sizes({path: len(files[path]) for path in names})
    if not reading.findings:
        for path in names:
            reading.read(path, files[path])
            if reading.is_over():
                break
        else:
            reading.finish()
    if reading.findings:
        return Layer(root, tenant, names, findings=_write(reading.findings))
    return Layer(
        root,
        tenant,
        names,
        settings=reading.settings,
        cedar=tuple(reading.cedar),
        abac=tuple(reading.abac),
        casbin=tuple(reading.casbin),
        groups=reading.groups,
        entities=reading.entities,
        schema=reading.texts.get(SCHEMA, ""),
        relationships=reading.relationships,
        cases=tuple(reading.cases),
    )


def _write(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    told = sorted(set(findings))[:_FINDINGS]
    return tuple(Finding(finding.path, finding.line, write_line(finding.sentence)) for finding in told)


class _Reading:
    """One layer while it is read."""

    def __init__(self, root: str, tenant: str | None) -> None:
        self.root = root
        self.tenant = tenant
        self.findings: list[Finding] = []
        self.settings: Mapping[str, Any] = {}
        self.cedar: list[CedarPolicy] = []
        self.abac: list[AbacPolicy] = []
        self.casbin: list[CasbinLine] = []
        self.groups = Groups()
        self.entities: Mapping[Any, Any] = {}
        self.relationships: Mapping[str, Drawing] = {}
        self.cases: list[Case] = []
        self.texts: dict[str, str] = {}
        self.folders: dict[str, dict[str, str]] = {}
        self.pattern_bytes = 0

    def refuse(self, path: str, line: int, sentence: str) -> None:
        self.findings.append(Finding(f"{self.root}/{path}" if path else self.root, line, sentence))

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse what can be told from names: their count, and those that a disk may not tell apart."""
        seen: dict[str, str] = {}
        for path in names:
            folded = unicodedata.normalize("NFC", path).casefold()
            other = seen.setdefault(folded, path)
            if other != path:
                self.refuse(path, 1, f"differs from `{other}` by case only, rename one")
        if len(seen) > LIMITS.files:
            self.refuse("", 1, f"{len(seen)} files, at most {LIMITS.files}")
        if self.tenant is not None and SETTINGS not in seen.values():
            self.refuse(SETTINGS, 1, "is missing, write one line: `name: <what people call the tenant>`")

    def check_sizes(self, sizes: Mapping[str, int]) -> None:
        """Refuse more bytes than are read in a bearable time."""
        total = sum(sizes.values())
        if total > LIMITS.layer_bytes:
            self.refuse("", 1, f"{total} bytes, at most {LIMITS.layer_bytes}")
        cases = sum(size for path, size in sizes.items() if path.startswith("cases/"))
        if cases > LIMITS.case_bytes:
            self.refuse("cases", 1, f"{cases} bytes of cases, at most {LIMITS.case_bytes}")

    def read(self, path: str, raw: bytes) -> None:
        parts = path.split("/")
        if len(parts) > 1 and parts[-2].endswith(".casbin"):
            if parts[-1] not in (MODEL, LINES):
                self.refuse(path, 1, f"is no part of a casbin policy, which is `{MODEL}` and `{LINES}`")
                return
            self.folders.setdefault("/".join(parts[:-1]), {})
        reader = self._reader(path)
        if reader is None:
            return
        text = self.decode(path, raw)
        if text is not None:
            reader(path, text)

    def is_over(self) -> bool:
        """Whether to read no further: past a limit, or enough to mend, since a report is cut there."""
        policies = len(self.cedar) + len(self.abac) + len(self.casbin)
        for name, count, most in (
            ("policies", policies, LIMITS.policies),
            ("cases", len(self.cases), LIMITS.cases),
            ("bytes of patterns", self.pattern_bytes, LIMITS.patterns_bytes),
        ):
            if count > most:
                self.refuse("", 1, f"{count} {name}, at most {most}")
                return True
        return len(self.findings) >= _FINDINGS

    def _reader(self, path: str) -> Callable[[str, str], None] | None:
        """What reads the file at `path`, by its ending; none where nothing does, which is a finding."""
        known: dict[str, Callable[[str, str], None]] = {SCHEMA: self._keep, RELATIONSHIPS: self._relationships}
        if self.tenant is not None:
            known |= {SETTINGS: self._settings, ENTITIES: self._entities, GROUPS: self._groups}
        parts = path.split("/")
        if path in known:
            return known[path]
        if path.endswith(".cedar"):
            return self._cedar
        if path.endswith(".abac.json"):
            return self._abac
        if len(parts) > 1 and parts[-2].endswith(".casbin"):
            return self._casbin
        if parts[0] == "cases" and path.endswith(".yaml"):
            return self._cases
        self.refuse(path, 1, explain_unknown(path, self.tenant))
        return None

    def decode(self, path: str, raw: bytes) -> str | None:
        """The text of a file, with lines that end in a line feed; none where it is no text."""
        if len(raw) > most_bytes(path):
            self.refuse(path, 1, f"{len(raw)} bytes, at most {most_bytes(path)}, split it")
            return None
        if raw.startswith(_BOM):
            self.refuse(path, 1, "starts with a byte order mark, save it as UTF-8 without one")
            return None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            self.refuse(path, line, f"is no UTF-8 at byte {error.start}, save it as UTF-8")
            return None
        text = text.replace("\r\n", "\n")
        # a lone carriage return ends a line for some readers and not for others, so a rule could hide behind it
        for mark, name in (("\0", "a NUL character"), ("\r", "a lone carriage return")):
            position = text.find(mark)
            if position >= 0:
                self.refuse(path, text.count("\n", 0, position) + 1, f"holds {name}, take it out")
                return None
        return text

    def _keep(self, path: str, text: str) -> None:
        self.texts[path] = text

    def _relationships(self, path: str, text: str) -> None:
        self.relationships, found = parse_relationships(f"{self.root}/{path}", text)
        self.findings += found

    def _settings(self, path: str, text: str) -> None:
        self.settings, found = parse_settings(f"{self.root}/{path}", text)
        self.findings += found

    def _entities(self, path: str, text: str) -> None:
        self.entities, found = parse_entities(f"{self.root}/{path}", text)
        self.findings += found

    def _groups(self, path: str, text: str) -> None:
        self.groups, found = parse_groups(f"{self.root}/{path}", text, self.tenant or "")
        self.findings += found

    def _cedar(self, path: str, text: str) -> None:
        policies, found = cedar.parse(f"{self.root}/{path}", text)
        self.cedar += policies
        self.findings += found

    def _abac(self, path: str, text: str) -> None:
        policies, found = abac.parse(f"{self.root}/{path}", text)
        self.abac += policies
        self.pattern_bytes += sum(policy.pattern_bytes for policy in policies)
        self.findings += found

    def _casbin(self, path: str, text: str) -> None:
        folder, _, name = path.rpartition("/")
        self.folders[folder][name] = text

    def _cases(self, path: str, text: str) -> None:
        cases, found = parse_cases(f"{self.root}/{path}", text)
        self.cases += cases
        self.findings += found

    def finish(self) -> None:
        """What can be said only when all files were read."""
        self._read_folders()
        if self.is_over():
            return
        self._check_ids()
        self._check_case_groups()
        policies = [*self.cedar, *self.abac, *self.casbin]
        if self.tenant is None and not policies and not self.findings:
            self.refuse("", 1, "holds no policy, a platform without one decides nothing")
        if SCHEMA in self.texts:
            schema, found = cedar_schema.parse_schema(
                f"{self.root}/{SCHEMA}", self.texts[SCHEMA], platform=self.tenant is None
            )
            self.findings += found
            # a tenant's policies are validated where both schemas are joined
            if self.tenant is None and schema is not None and not self.findings:
                self.findings += cedar_schema.validate(tuple(self.cedar), self.texts[SCHEMA])

    def _read_folders(self) -> None:
        for folder, texts in sorted(self.folders.items()):
            missing = [name for name in (MODEL, LINES) if name not in texts]
            if missing and not any(finding.path.startswith(f"{self.root}/{folder}/") for finding in self.findings):
                self.refuse(folder, 1, f"lacks `{missing[0]}`, a casbin policy is `{MODEL}` and `{LINES}`")
            if not missing:
                lines, found = casbin.parse(f"{self.root}/{folder}", texts[MODEL], texts[LINES])
                self.casbin += lines
                self.findings += found
                self.pattern_bytes += sum(line.pattern_bytes for line in lines)
                if self.is_over():
                    break

    def _check_ids(self) -> None:
        taken: dict[str, Compiled] = {}
        policies: tuple[Compiled, ...] = (*self.cedar, *self.abac, *self.casbin)
        for compiled in policies:
            policy = compiled.policy
            first = taken.setdefault(policy.id, compiled).policy
            if first is not policy:
                place = f"{first.file}:{first.line}"
                remedy = "rename one of the folders" if policy.engine is Engine.CASBIN else "give it another"
                sentence = f"the policy id `{policy.id}` is taken by {place}, {remedy}"
                self.findings.append(Finding(policy.file, policy.line, sentence))

    def _check_case_groups(self) -> None:
        checked: set[int] = set()
        for case in self.cases:
            if case.members and id(case.members) not in checked:
                checked.add(id(case.members))
                try:
                    self.groups.add(case.members)
                except ValueError as error:
                    self.findings.append(Finding(case.file, case.line, str(error)))
