"""A trail that someone wrote to by other means than the service: what was done, and where, is found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from policy_service.audit import chain, sealer, trail_check, trail_pages
from policy_service.audit.sealer import seal
from policy_service.audit.trail_check import verify
from policy_service.audit.trail_pages import read_heads, read_links
from policy_service.store.door import Store
from tests.stores import Place
from tests.unit.audit.trails import AT, grow, tamper

ALL = 1_000_000
SITE = tuple[Place, Store]


def seal_all(store: Store, account: str = "acme") -> None:
    seal(store, account, everything=True, clock=lambda: AT)


def problems(store: Store, published: Iterator[chain.Head] | tuple[chain.Head, ...] = ()) -> list[str]:
    return [str(problem) for problem in verify(store, "acme", published=published).problems]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches and pages of two."""
    monkeypatch.setattr(sealer, "BATCH", 2)
    monkeypatch.setattr(trail_pages, "PAGE", 2)
    monkeypatch.setattr(trail_check, "PAGE", 2)


@pytest.fixture
def site(place: Place, small: None) -> Iterator[SITE]:
    """Six entries with heads at 2, 4 and 6."""
    with contextlib.closing(place.open()) as store:
        grow(store, "acme", *"abcdef")
        seal_all(store)
        yield place, store


def where(seq: int) -> str:
    return f"WHERE account_id = 'acme' AND seq = {seq}"


def entry(seq: int) -> str:
    return f"WHERE account_id = 'acme' AND id = (SELECT entry_id FROM trail_link {where(seq)})"


def rewrite(place: Place, store: Store, seq: int) -> None:
    """Change an entry and make every link from it on follow, as who knows how the chain is made."""
    tamper(place, store, f"UPDATE trail_entry SET body = '{{}}' {entry(seq)}")
    last, statements = chain.start("acme"), []
    for link in read_links(store, "acme", ALL):
        last = chain.hash_link(last, chain.hash_entry(link.entry_id, link.body or ""))
        literal = f"'\\x{last.hex()}'" if place.cluster else f"x'{last.hex()}'"
        statements.append(f"UPDATE trail_link SET hash = {literal} {where(link.seq)}")
    tamper(place, store, *statements)


def cut(place: Place, store: Store, after: int) -> None:
    """Take away everything after a head: entries, links and heads."""
    tail = f"account_id = 'acme' AND seq > {after}"
    tamper(
        place,
        store,
        f"DELETE FROM trail_entry WHERE id IN (SELECT entry_id FROM trail_link WHERE {tail})",
        f"DELETE FROM trail_link WHERE {tail}",
        f"DELETE FROM trail_head WHERE {tail}",
    )


def test_a_whole_trail_has_no_problems(site: SITE) -> None:
    _, store = site
    grow(store, "acme", "new")
    seen: list[tuple[int, int]] = []
    report = verify(store, "acme", progress=lambda done, whole: seen.append((done, whole)))
    assert report[:4] == (7, 6, 3, 1)
    assert report.head == list(read_heads(store, "acme", ALL))[-1]
    assert not report.problems
    assert seen == [(2, 6), (4, 6), (6, 6), (6, 6)]


def test_an_empty_trail_has_no_problems(store: Store) -> None:
    assert verify(store, "acme") == (0, 0, 0, 0, None, ())


CHANGES = {
    "entry changed": ([f"UPDATE trail_entry SET body = '{{}}' {entry(3)}"], ["link 3: it or its entry"]),
    "entry removed": ([f"DELETE FROM trail_entry {entry(3)}"], ["link 3: its entry `"]),
    "link changed": (
        [f"UPDATE trail_link SET hash = (SELECT hash FROM trail_link {where(1)}) {where(3)}"],
        ["link 3: it or its entry", "link 4: it or its entry"],
    ),
    "link and entry removed": (
        [f"DELETE FROM trail_entry {entry(3)}", f"DELETE FROM trail_link {where(3)}"],
        ["link 3: removed"],
    ),
    "first links removed": (
        [f"DELETE FROM trail_link {where(1)}", f"DELETE FROM trail_link {where(2)}"],
        ["head 2: there is no link 2", "link 1 to 2: removed"],
    ),
    "last link removed": ([f"DELETE FROM trail_link {where(6)}"], ["head 6: there is no link 6"]),
    "all links removed": (
        ["DELETE FROM trail_link WHERE account_id = 'acme'"],
        ["head 2: there is no link 2", "head 4: there is no link 4", "head 6: there is no link 6"],
    ),
    "reordered": (
        [
            f"UPDATE trail_link SET seq = 33 {where(3)}",
            f"UPDATE trail_link SET seq = 3 {where(5)}",
            f"UPDATE trail_link SET seq = 5 {where(33)}",
        ],
        ["link 3: it or its entry", "link 4: it or its entry", "link 5: it or its entry", "link 6: it or its entry"],
    ),
    "inserted at the end": (
        [
            "INSERT INTO trail_entry VALUES ('acme', 'x', '{}')",
            f"INSERT INTO trail_link SELECT account_id, 7, 'x', hash FROM trail_link {where(6)}",
        ],
        ["link 7: no head is signed", "link 7: it or its entry `x` was changed"],
    ),
    "inserted at the start": (
        [f"INSERT INTO trail_link SELECT account_id, 0, 'x', hash FROM trail_link {where(6)}"],
        ["link 0: it was inserted"],
    ),
    "last head removed": ([f"DELETE FROM trail_head {where(6)}"], ["link 5: no head is signed"]),
    "head's time changed": ([f"UPDATE trail_head SET at = at + 1 {where(4)}"], ["head 4: the signature is wrong"]),
    "head's place changed": (
        [f"UPDATE trail_head SET seq = 3 {where(4)}"],
        ["head 3: it has another hash", "head 3: the signature is wrong"],
    ),
    "head of no key": (
        [f"UPDATE trail_head SET signature = hash {where(4)}"],
        ["head 4: it is said to be signed by version 0"],
    ),
    "another head's signature": (
        [f"UPDATE trail_head SET signature = (SELECT signature FROM trail_head {where(2)}) {where(4)}"],
        ["head 4: the signature is wrong"],
    ),
}


@pytest.mark.usefixtures("small")
def test_what_was_done_is_found_with_its_place(place: Place) -> None:
    tenants = {f"tenant-{number}": name for number, name in enumerate(CHANGES)}
    with contextlib.closing(place.open(tuple(tenants))) as store:
        for tenant, name in tenants.items():
            statements, expected = CHANGES[name]
            grow(store, tenant, *"abcdef")
            seal_all(store, tenant)
            tamper(place, store, *(statement.replace("acme", tenant) for statement in statements), account=tenant)
            found = sorted(map(str, verify(store, tenant).problems))
            assert [sentence[: len(start)] for sentence, start in zip(found, sorted(expected), strict=True)] == sorted(
                expected
            ), name


def test_a_chain_that_was_made_to_follow_is_not_what_was_signed(site: SITE) -> None:
    place, store = site
    rewrite(place, store, 3)
    assert [sentence.partition(",")[0] for sentence in problems(store)] == [
        "head 4: it has another hash than its link: links were written again",
        "head 6: it has another hash than its link: links were written again",
    ]


def test_only_a_published_head_shows_that_the_end_was_cut_off(site: SITE) -> None:
    place, store = site
    published = tuple(read_heads(store, "acme", ALL))
    assert problems(store, published) == []
    cut(place, store, after=2)
    assert problems(store) == []
    assert problems(store, published) == [
        "published head 4: there is no link 4 any more: the trail was cut off",
        "published head 6: there is no link 6 any more: the trail was cut off",
    ]


def test_only_a_published_head_shows_that_what_was_cut_off_was_written_again(site: SITE) -> None:
    place, store = site
    published = tuple(read_heads(store, "acme", ALL))
    cut(place, store, after=2)
    grow(store, "acme", *"wxyz")
    seal_all(store)
    assert problems(store) == []
    assert problems(store, published) == [
        "published head 4: link 4 has another hash: the trail was written again",
        "published head 6: link 6 has another hash: the trail was written again",
    ]


def test_a_published_head_must_have_been_signed(site: SITE) -> None:
    _, store = site
    made_up = next(read_heads(store, "acme", ALL))._replace(at=1)
    assert problems(store, (made_up,)) == ["published head 2: the signature is wrong"]


def test_no_more_is_told_than_anyone_reads(site: SITE, monkeypatch: pytest.MonkeyPatch) -> None:
    place, store = site
    monkeypatch.setattr(trail_check, "PROBLEMS", 2)
    tamper(place, store, "UPDATE trail_entry SET body = '{}' WHERE account_id = 'acme'")
    assert problems(store)[1:] == ["link 2: not looked further, there is too much wrong"]
