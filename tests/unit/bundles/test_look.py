"""What a worker sees of the others' verdicts without reading a file."""

from __future__ import annotations

from pathlib import Path

from policy_service.bundles.changes import Changes
from policy_service.bundles.current import Bundles
from policy_service.bundles.look import TURNS, Looker
from tests.unit.bundles.folders import fill, ids, make, policy


def due(bundles: Bundles) -> str | None:
    """What is to be rebuilt after every folder was looked at once."""
    changes = Changes(0.0)
    looker = Looker(bundles, changes)
    for _ in range(TURNS):
        looker.look(events=True)
    return changes.take()


def test_who_holds_an_older_good_one_follows_the_others(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    first, second = (Bundles(settings, quiet=0.0) for _ in range(2))
    for bundles in (first, second):
        bundles.current("acme")
    fill(settings.tenants / "acme", {"a.cedar": "nonsense"})
    first.rebuild("acme")
    assert due(first) is None
    # an edit that the first one had no time to see
    for text in (policy("two"), "nonsense"):
        fill(settings.tenants / "acme", {"a.cedar": text})
        second.rebuild("acme")
    assert (ids(first), ids(second)) == ({"one"}, {"two"})
    assert due(first) == "acme"
    first.rebuild("acme")
    assert ids(first) == {"two"}
    assert due(first) is None


def test_what_another_worker_refused_is_let_go(tmp_path: Path) -> None:
    settings = make(tmp_path, "acme")
    held, other = Bundles(settings, quiet=0.0), Bundles(settings, quiet=0.0)
    other.current("acme")
    case = "cases:\n  - {subject: user:alice, action: read, resource: 'doc:1', expect: deny}\n"
    fill(settings.tenants / "acme", {"cases/a.yaml": case})
    held.current("acme")
    assert due(held) is None
    other.rebuild("acme")
    assert due(held) == "acme"
