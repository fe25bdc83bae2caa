"""During swaps every answer is wholly old or wholly new: policies of three languages, groups and entities together.

Each version allows what the other denies, by policies, groups and entities that only fit each other; a mix of
both loads too, and is recognised by its answers.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from policy_service.bundles.load import load
from policy_service.bundles.quiet import QUIET
from policy_service.config import Settings
from policy_service.model import Act, Request, Thing
from tests.service.houses import House, fill

# what a loaded machine may take; in life it is less than a second
LIMIT = 30.0
TENANT = "acme"
VERSIONS = ("v1", "v2")
OPEN = '@id("open") permit(principal, action, resource);\n'
CASBIN = """[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && r.obj.mark == p.obj && r.act == p.act
"""
QUESTIONS = [
    Request(Thing("user", user), Act("read"), Thing("doc", doc)) for user in ("alice", "bob") for doc in ("d1", "d2")
]


def write(version: str) -> dict[str, str]:
    """The files of one version: `v1` lets alice in and stops bob, `v2` the other way round."""
    friend, foe = ("alice", "bob") if version == "v1" else ("bob", "alice")
    marks = [
        {"uid": {"type": "doc", "id": name}, "attrs": {"mark": version}, "parents": [{"type": "folder", "id": version}]}
        for name in ("d1", "d2")
    ]
    let_in = {
        "uid": f"abac-{version}",
        "effect": "allow",
        "targets": {},
        "rules": {
            "subject": {"$.groups": {"condition": "AnyIn", "values": [f"friends-{version}"]}},
            "resource": {"$.mark": {"condition": "Equals", "value": version}},
        },
    }
    return {
        "a.cedar": f'@id("cedar-{version}") permit(principal in Group::"friends-{version}", action, resource)\n'
        f'when {{ resource.mark == "{version}" && resource in folder::"{version}" }};\n',
        "b.casbin/model.conf": CASBIN,
        "b.casbin/policy.csv": f"# {version}\np, group:friends-{version}, {version}, read, allow\n",
        "c.abac.json": json.dumps(let_in),
        "d.cedar": f'@id("stop-{version}") forbid(principal in Group::"foes-{version}", action, resource)\n'
        f'when {{ resource.mark == "{version}" }};\n',
        "entities.json": json.dumps(marks),
        "groups.csv": f"g, user:{friend}, group:friends-{version}, {TENANT}\n"
        f"g, user:{foe}, group:foes-{version}, {TENANT}\n",
        "tenant.yaml": f"name: {version}\n",
    }


def answers(decisions: list[Any]) -> tuple[Any, ...]:
    return tuple((decision.allowed, tuple(sorted(p.id for p in decision.reasons))) for decision in decisions)


@dataclass
class Askers:
    """Threads that keep asking, as batches and one by one, and what they were told: (rounds, version, answers)."""

    house: House
    round: int = 0
    void: set[int] = field(default_factory=set)
    told: set[tuple[tuple[int, int], str, tuple[Any, ...]]] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask_on(self) -> None:
        while not self.stop.is_set():
            try:
                self.ask(QUESTIONS)
                self.ask(QUESTIONS[:1])
                # ends at the first deny: evaluated one after the other, by one bundle too
                self.ask(QUESTIONS * 3, until=False)
            except Exception as error:
                self.failures.append(repr(error))

    def ask(self, questions: list[Request], **options: Any) -> None:
        before = self.round
        version, decisions = self.house.ask(TENANT, questions, **options)
        if {getattr(decision, "version", "") for decision in decisions} != {version}:
            self.failures.append(f"a batch of several versions: {version}, {decisions}")
        self.told.add(((before, self.round), version, answers(decisions)))

    def edit(self, write_files: Callable[[], list[float]]) -> None:
        """One round of writing. Where the machine paused between two files for as long as files must be quiet, what
        lay there was a bundle, and the round says nothing."""
        self.round += 1
        if max(write_files(), default=0) > self.house.bundles.quiet * 0.97:
            self.void.add(self.round)

    def check(self, known: dict[str, tuple[Any, ...]], rounds: int = 1) -> None:
        """Only what a version answers was told, under that version's name."""
        for during, version, told in self.told:
            if self.void.isdisjoint(during):
                expected = known.get(version, ())
                assert told in (expected, (expected * 3)[: len(told)]), (during, version, told)
        if self.round - len(self.void) < rounds:
            pytest.skip("the machine is too slow to write one file after the other within the quiet time")


@contextmanager
def asking(house: House, threads: int = 3) -> Iterator[Askers]:
    askers = Askers(house)
    running = [threading.Thread(target=askers.ask_on) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield askers
    finally:
        askers.stop.set()
        for thread in running:
            thread.join()
    assert askers.failures == []


@pytest.fixture
def open_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    opened: list[House] = []

    def begin(place: Callable[[Path], None], quiet: float = QUIET) -> House:
        house = House(tmp_path, quiet=quiet)
        place(house.folder(TENANT))
        house.bundles.start()
        opened.append(house)
        house.ask(TENANT, QUESTIONS)
        return house

    yield begin
    for house in opened:
        house.close()


def learn(settings: Settings) -> dict[str, tuple[Any, ...]]:
    """What each version answers, by what `Policy-Version` calls it; the two disagree in every answer."""
    known = {}
    for version in VERSIONS:
        tenants = settings.tenants.parent / f"rest-{version}"
        fill(tenants / TENANT, write(version))
        bundle, findings = load(settings.policies, tenants, TENANT)
        assert bundle, findings
        reasons = ((f"abac-{version}", "b.casbin:2", f"cedar-{version}"), (f"stop-{version}",))
        friend, foe = (True, reasons[0]), (False, reasons[1])
        known[bundle.version_text] = (friend,) * 2 + (foe,) * 2 if version == "v1" else (foe,) * 2 + (friend,) * 2
    assert len(known) == 2
    return known


def wait_for(house: House, version: str) -> None:
    until = time.monotonic() + LIMIT
    while house.bundles.current(TENANT).version_text != version:
        assert time.monotonic() < until, house.bundles.status()
        time.sleep(0.01)


def write_over(folder: Path, version: str, pause: float = 0.0, way: str = "in place") -> list[float]:
    """Write the files one by one; the seconds between each two. A `checkout` unlinks each first, as git does."""
    gaps, before = [], 0.0
    for name, text in write(version).items():
        started = time.monotonic()
        if way == "replace":
            fill(folder, {f"{name}~": text})
            os.replace(folder / f"{name}~", folder / name)
        else:
            if way == "checkout":
                (folder / name).unlink()
            fill(folder, {name: text})
        gaps.append(time.monotonic() - (before or started))
        before = started
        time.sleep(pause)
    return gaps


def test_each_mix_of_two_versions_would_be_noticed(tmp_path: Path, open_house: Callable[..., House]) -> None:
    """The net has no holes: any mix loads, and answers like neither."""
    house = open_house(lambda folder: write_over(folder, "v1"))
    known = learn(house.settings)
    first, second = write("v1"), write("v2")
    changed = [name for name in first if first[name] != second[name] and name != "tenant.yaml"]
    for number in range(1, len(changed)):
        mixed = {**first, **{name: second[name] for name in changed[:number]}}
        fill(tmp_path / f"mix{number}" / TENANT, mixed)
        bundle, findings = load(house.settings.policies, tmp_path / f"mix{number}", TENANT)
        assert bundle, findings
        house.bundles.entries.ready[TENANT] = bundle
        version, decisions = house.ask(TENANT, QUESTIONS)
        assert version not in known
        assert answers(decisions) not in known.values()


@pytest.mark.parametrize("way", ["in place", "replace"])
def test_edits(open_house: Callable[..., House], way: str) -> None:
    house = open_house(lambda folder: write_over(folder, "v1"))
    known = learn(house.settings)
    versions = list(known)
    with asking(house) as askers:
        for number in range(1, 5):
            askers.edit(partial(write_over, house.folder(TENANT), VERSIONS[number % 2], way=way))
            wait_for(house, versions[number % 2])
    askers.check(known)
    assert {version for _, version, _ in askers.told} >= set(known)


def test_a_link_that_is_swapped(open_house: Callable[..., House]) -> None:
    releases = {}

    def place(folder: Path) -> None:
        for version in VERSIONS:
            releases[version] = fill(folder.parents[1] / "releases" / version, write(version))
        folder.symlink_to(releases["v1"])

    house = open_house(place)
    known = learn(house.settings)
    versions = list(known)
    with asking(house) as askers:
        for number in range(1, 5):
            swap(house.folder(TENANT), releases[VERSIONS[number % 2]])
            wait_for(house, versions[number % 2])
        # faster than anyone looks
        for number in range(1, 200):
            swap(house.folder(TENANT), releases[VERSIONS[number % 2]])
        wait_for(house, versions[1])
    askers.check(known, 0)


def swap(link: Path, target: Path) -> None:
    """Let the link lead elsewhere at once."""
    fresh = link.with_name(f".{link.name}")
    fresh.symlink_to(target)
    os.replace(fresh, link)


def test_half_a_checkout_is_never_served(open_house: Callable[..., House]) -> None:
    house = open_house(lambda folder: write_over(folder, "v1"))
    known = learn(house.settings)
    versions = list(known)
    house.ask(TENANT, QUESTIONS)
    until = time.monotonic() + LIMIT / 2
    with asking(house, threads=1) as askers:
        while askers.round - len(askers.void) < 3 and time.monotonic() < until:
            version = (askers.round + 1) % 2
            askers.edit(partial(write_over, house.folder(TENANT), VERSIONS[version], QUIET * 0.85, "checkout"))
            wait_for(house, versions[version])
    askers.check(known)


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(["in place", "replace", "checkout", "break", "back"]), min_size=2, max_size=5))
def test_whatever_the_way_of_editing(tmp_path_factory: pytest.TempPathFactory, ways: list[str]) -> None:
    house = House(tmp_path_factory.mktemp("house"), quiet=QUIET)
    folder, now = house.folder(TENANT), 0
    write_over(folder, "v1")
    house.bundles.start()
    try:
        known = learn(house.settings)
        house.ask(TENANT, QUESTIONS)
        with asking(house, threads=2) as askers:
            for way in ways:
                if way == "break":
                    askers.edit(partial(break_and_mend, folder, VERSIONS[now]))
                elif way == "back":
                    askers.edit(partial(there_and_back, folder, VERSIONS[now]))
                else:
                    now = 1 - now
                    askers.edit(partial(write_over, folder, VERSIONS[now], way=way))
            wait_for(house, list(known)[now])
        askers.check(known, 0)
    finally:
        house.close()


def there_and_back(folder: Path, version: str) -> list[float]:
    """The other version's files, and at once what was there before."""
    return write_over(folder, VERSIONS[1 - VERSIONS.index(version)]) + write_over(folder, version)


def break_and_mend(folder: Path, version: str) -> list[float]:
    """Files that can't be loaded, of which some would let everyone in, for longer than the quiet time."""
    fill(folder, {"d.cedar": "forbid ("})
    fill(folder, {"a.cedar": OPEN})
    time.sleep(2 * QUIET)
    # what was allowed goes before what forbids comes back
    fill(folder, {"a.cedar": write(version)["a.cedar"]})
    return write_over(folder, version)
