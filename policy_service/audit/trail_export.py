"""A trail as lines of JSON, which `docs/verify_trail.py` verifies without this service.

    {"format", "account", "at", "links", "keys": {version: public key}}      the first line
    {"seq", "id", "hash", "body"}                                            a link and its entry
    {"head", "hash", "at", "key", "signature", "account"}                    a signed head, after its link

Hashes, keys and signatures are hexadecimal; times are in microseconds; `body` is the entry's text as it is hashed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from policy_service.audit.chain import Head, canonical
from policy_service.audit.trail_keys import collect_public_keys
from policy_service.audit.trail_pages import Link, read_heads, read_last_head, read_links
from policy_service.errors import Refused
from policy_service.store.door import Store

FORMAT = "policy-service trail v1"


def export(store: Store, account: str, at: float) -> Iterator[str]:
    """The lines of a trail up to its newest head, without line ends; `at` is when, in seconds."""
    with store.session(account) as session:
        newest = read_last_head(session, account)
    last = newest.seq if newest else 0
    known = collect_public_keys(store.keys, account, read_heads(store, account, last))
    keys = {str(version): public.hex() for version, public in known.items()}
    yield canonical({"format": FORMAT, "account": account, "at": round(at * 1_000_000), "links": last, "keys": keys})
    heads = read_heads(store, account, last)
    head = next(heads, None)
    for link in read_links(store, account, last):
        while head and head.seq < link.seq:
            yield write_head(account, head)
            head = next(heads, None)
        yield _write_link(link)
    while head:
        yield write_head(account, head)
        head = next(heads, None)


def write_head(account: str, head: Head) -> str:
    """The line of a head: what to keep where nobody who can write the store can."""
    return canonical(
        {
            "account": account,
            "head": head.seq,
            "hash": head.hash.hex(),
            "at": head.at,
            "key": head.key,
            "signature": head.signature.hex(),
        }
    )


def read_published(account: str, lines: Iterable[str], name: str) -> Iterator[Head]:
    """The heads among lines that were exported or printed earlier, from the file `name`.

    `Refused` with `name:line` where a line can't be read, is another account's, or no line is a head.
    """
    found = False
    for number, line in enumerate(lines, 1):
        try:
            said = json.loads(line)
            if "head" not in said:
                continue
            head = _read_head(said)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise Refused(f"{name}:{number}: this is no line of an exported trail, name a file of heads") from None
        if said.get("account") != account:
            raise Refused(f"{name}:{number}: this is a head of another trail, name heads of `{account}`")
        found = True
        yield head
    if not found:
        raise Refused(f"{name}:1: there is no head in this file, make one with `policy-service trail head`")


def _read_head(said: dict[str, Any]) -> Head:
    numbers = said["head"], said["at"], said["key"]
    if not all(type(number) is int for number in numbers):
        raise TypeError("no whole number")
    seq, at, key = numbers
    return Head(seq, bytes.fromhex(said["hash"]), at, key, bytes.fromhex(said["signature"]))


def _write_link(link: Link) -> str:
    return canonical({"seq": link.seq, "id": link.entry_id, "hash": link.hash.hex(), "body": link.body})
