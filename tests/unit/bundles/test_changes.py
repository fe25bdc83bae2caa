"""What is rebuilt next."""

from __future__ import annotations

import time

import pytest

from policy_service.bundles import changes as module
from policy_service.bundles.changes import Changes
from policy_service.bundles.last_good import PLATFORM

QUIET = 0.03


def test_a_change_is_due_when_it_has_been_quiet() -> None:
    changes = Changes(QUIET)
    changes.note("acme")
    assert changes.take() is None
    time.sleep(QUIET)
    changes.note("acme")
    assert changes.take() is None
    time.sleep(QUIET)
    assert changes.take() == "acme"
    assert changes.take() is None


def test_the_platform_is_first_and_what_is_stale_last() -> None:
    changes = Changes(QUIET)
    changes.mark_stale("stale")
    changes.note("acme")
    changes.note(PLATFORM)
    assert changes.take() is None  # what is stale would be stale again after the platform
    time.sleep(QUIET)
    assert [changes.take() for _ in range(4)] == [PLATFORM, "acme", "stale", None]


def test_what_is_stale_and_edited_waits_until_it_is_quiet() -> None:
    changes = Changes(QUIET)
    changes.mark_stale("acme")
    changes.note("acme")
    assert changes.take() is None
    time.sleep(QUIET)
    assert changes.take() == "acme"
    assert changes.take() is None


def test_what_never_settles_is_restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESTLESS", 0.05)
    changes = Changes(0.0)
    changes.note("acme")
    assert not changes.is_restless("acme")
    time.sleep(0.06)
    assert changes.take() == "acme"
    assert changes.is_restless("acme")
    changes.note("acme")
    assert changes.is_restless("acme")
    assert changes.take() == "acme"
    changes.settle("acme")
    assert not changes.is_restless("acme")


def test_what_is_gone_is_forgotten() -> None:
    changes = Changes(0.0)
    changes.note("acme")
    changes.mark_stale("citadel")
    changes.forget("acme")
    changes.forget("citadel")
    assert changes.take() is None
