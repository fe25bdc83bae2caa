"""What a pointer says, and how verdicts change it."""

from __future__ import annotations

import json

import pytest

from policy_service.bundles import record as module
from policy_service.bundles.record import Good, Record, decode, encode
from policy_service.model import Finding

WRONG = (Finding("tenants/acme/a.cedar", 3, "is nonsense"),)


def good(mark: str, *, gated: bool = True) -> Good:
    return Good("a" * 64, mark * 64, "", False, "2026-01-01T00:00:00Z", gated, ("x",))


def test_it_survives_writing() -> None:
    record = Record().accept(good("b")).accept(good("c", gated=False)).refuse("d" * 64, WRONG)
    assert record.refused == {"d" * 64: WRONG}
    assert decode(json.loads(json.dumps(encode(record)))) == record


def test_what_was_good_before_comes_back_when_the_cases_of_an_ungated_one_fail() -> None:
    record = Record().accept(good("b")).accept(good("c", gated=False))
    assert record.previous == good("b")
    back = record.refuse(good("c").digest, WRONG)
    assert back.good == good("b")
    assert back.findings == WRONG
    assert Record().accept(good("b")).accept(good("c")).previous is None


def test_accepting_forgets_the_refusal() -> None:
    record = Record().refuse(good("b").digest, WRONG).accept(good("b"))
    assert record.refused == {}
    assert record.findings == ()


def test_refusals_and_sentences_are_bounded() -> None:
    record = Record()
    for number in range(100):
        record = record.refuse(f"{number}", (Finding("p", 1, "x" * 10_000),) * 100)
    assert len(record.refused) == 20
    assert list(record.refused)[-1] == "99"
    assert len(json.dumps(encode(record))) < 300_000


def test_another_release_judges_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode(Record().accept(good("b")).refuse("d", WRONG))
    monkeypatch.setattr(module, "__version__", "99")
    assert decode(raw).refused == {}
    assert decode(raw).good == good("b")


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "a" * 63, "A" * 64, None, 5])
def test_what_names_a_file_is_a_digest(digest: object) -> None:
    raw = encode(Record().accept(good("b")))
    raw["good"]["platform"] = digest
    with pytest.raises((ValueError, TypeError)):
        decode(raw)
