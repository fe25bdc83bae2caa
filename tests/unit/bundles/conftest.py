"""Bundles that are closed again, and looks that come fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from policy_service.bundles import watch
from policy_service.bundles.current import Bundles
from policy_service.config import Settings
from tests.unit.bundles.folders import QUIET

LOOK = watch.LOOK


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than in life, so that tests wait less."""
    monkeypatch.setattr(watch, "LOOK", 0.05)


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, fast: None) -> None:
    """Look as often as in life."""
    monkeypatch.setattr(watch, "LOOK", LOOK)


@pytest.fixture
def start() -> Iterator[Callable[..., Bundles]]:
    """Start bundles that end with the test."""
    started: list[Bundles] = []

    def run(settings: Settings, quiet: float = QUIET) -> Bundles:
        bundles = Bundles(settings, quiet=quiet)
        bundles.start()
        started.append(bundles)
        return bundles

    yield run
    for bundles in started:
        bundles.close()
