"""What is kept about a tenant's bundles: which combination of layers was good, which were refused and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from policy_service import __version__
from policy_service.bundles.load import combine_digests
from policy_service.model import Finding

_REFUSED, _FINDINGS, _SENTENCE, _CASES = 20, 20, 500, 50
_DIGEST = re.compile("[0-9a-f]{64}")


class Good(NamedTuple):
    """A combination of layers that was judged good; `gated` where its cases had their say."""

    platform: str
    tenant: str
    commit: str
    dirty: bool
    loaded_at: str
    gated: bool
    cases_not_run: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of the combination; of the platform alone, its own."""
        return combine_digests(self.platform, self.tenant) if self.tenant else self.platform


@dataclass(frozen=True, slots=True)
class Record:
    """What a pointer says. `previous` is what was good before an ungated `good`, in case its cases fail yet."""

    good: Good | None = None
    previous: Good | None = None
    refused: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    seen: str = ""

    def accept(self, good: Good) -> Record:
        """The record when `good` was judged good."""
        before = self.previous if self.good and self.good.digest == good.digest else self.good
        refused = {digest: found for digest, found in self.refused.items() if digest != good.digest}
        return Record(good, None if good.gated else before, refused, good.digest)

    def refuse(self, digest: str, findings: tuple[Finding, ...]) -> Record:
        """The record when the combination `digest` was refused; the oldest refusals are forgotten."""
        kept = [(key, found) for key, found in self.refused.items() if key != digest][-_REFUSED + 1 :]
        good = self.previous if self.good and self.good.digest == digest else self.good
        capped = tuple(_shorten(finding) for finding in findings[:_FINDINGS])
        return Record(good, None, {**dict(kept), digest: capped}, digest)

    def see(self, digest: str) -> Record:
        """The record when the combination `digest`, which was judged before, is what the folders hold."""
        return replace(self, seen=digest)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the combination that was seen last."""
        return self.refused.get(self.seen, ())


def _shorten(finding: Finding) -> Finding:
    return Finding(finding.path[:_SENTENCE], finding.line, finding.sentence[:_SENTENCE])


def encode(record: Record) -> dict[str, Any]:
    """The record as JSON."""
    return {
        "service": __version__,
        "good": record.good._asdict() if record.good else None,
        "previous": record.previous._asdict() if record.previous else None,
        "refused": {
            digest: [[finding.path, finding.line, finding.sentence] for finding in findings]
            for digest, findings in record.refused.items()
        },
        "seen": record.seen,
    }


def decode(raw: Any) -> Record:
    """The record of parsed JSON; some `ValueError`, `KeyError`, `TypeError` or `AttributeError` where it is none."""
    refused = {}
    # another release may read what this one refused
    if raw["service"] == __version__:
        refused = {
            str(digest): tuple(Finding(str(path), int(line), str(sentence)) for path, line, sentence in findings)
            for digest, findings in raw["refused"].items()
        }
    return Record(_decode_good(raw["good"]), _decode_good(raw["previous"]), refused, str(raw["seen"]))


def _decode_good(raw: Any) -> Good | None:
    if raw is None:
        return None
    names = tuple(str(name) for name in raw["cases_not_run"][:_CASES])
    for digest in (raw["platform"], raw["tenant"] or raw["platform"]):
        if not _DIGEST.fullmatch(digest):  # it names a file
            raise ValueError(f"`{digest[:80]}` is no digest")
    texts = (str(raw["commit"]), bool(raw["dirty"]), str(raw["loaded_at"]), bool(raw["gated"]))
    return Good(raw["platform"], raw["tenant"], *texts, names)
