"""Which address a request comes from, and over which way: directly, or through proxies that are believed.

`X-Forwarded-For` is read and no other header: it is the one that every load balancer writes. Each proxy appends the
address it got the request from, so it is read from its right end, past the proxies that are named; what stands
further left is whatever the client sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from flask import Flask, Response, request

from policy_service.config import Network, Settings, read_networks
from policy_service.errors import Forbidden, RequestError

_FORWARDED = "HTTP_X_FORWARDED_FOR"
# an address, brackets, a port; what is longer is not remembered either
_HOP_LENGTH = 64
# a year; only for the host itself: what other services its domain has is not known here
_HSTS = ("strict-transport-security", "max-age=31536000")


@lru_cache(maxsize=4096)
def read_address(text: str) -> str:
    """The address itself; nothing where it is none, as behind a socket of the file system.

    On a socket that takes both, an IPv4 address comes as `::ffff:10.1.2.3`, which is in no IPv4 range to Cedar, and
    an address of the link comes with its zone (`fe80::1%eth0`), which Cedar can't read.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def find_client(peer: str, forwarded: str | None, proxies: Sequence[Network]) -> str:
    """The address of the client: the last one of `X-Forwarded-For` that is no proxy's, where the peer is a proxy.

    Else, and where the header is missing or names proxies alone, it is the peer's. An address that a proxy wrote
    and that can't be read is a `RequestError`: a guess would be the proxy's own, which policies may trust.
    """
    if forwarded is None or not is_within(peer, proxies):
        return read_address(peer)
    for part in reversed(forwarded.split(",")):
        address = _read_hop(part.strip())
        if not address:
            raise RequestError("`X-Forwarded-For` holds what is no address, see what the proxy sends")
        if not is_within(address, proxies):
            return address
    return read_address(peer)


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    text = read_address(address) if networks else ""
    return bool(text) and any(ip_address(text) in network for network in networks)


def guard(app: Flask, settings: Settings) -> None:
    """Answer plain HTTP to this machine and to the named proxies alone; `request.remote_addr` is the client's address.

    Whoever the service is reached by over TLS, itself or at its proxy, is told to come by TLS alone (HSTS, RFC 6797).
    """
    proxies = read_networks(settings.behind_proxy)
    promised = settings.public_url.startswith("https://")

    def find() -> None:
        peer = request.environ.get("REMOTE_ADDR", "")
        if not (_is_tls() or _is_here(peer) or is_within(peer, proxies)):
            raise Forbidden("plain HTTP is for the proxies that `--behind-proxy` names, use https")
        request.remote_addr = find_client(peer, request.environ.get(_FORWARDED), proxies)

    def promise(response: Response) -> Any:
        if _is_tls() or (promised and is_within(request.environ.get("REMOTE_ADDR", ""), proxies)):
            response.headers.set(*_HSTS)
        return response

    app.before_request(find)
    app.after_request(promise)


def _is_tls() -> bool:
    return bool(request.environ["wsgi.url_scheme"] == "https")


@lru_cache(maxsize=4096)
def _is_here(peer: str) -> bool:
    """Whether nothing goes over a network: the peer is on loopback, or on a socket of the file system (no address)."""
    address = read_address(peer)
    return not address or ip_address(address).is_loopback


def _read_hop(text: str) -> str:
    """An address as proxies write it: `10.1.2.3`, `2001:db8::1`, and with a port `10.1.2.3:80`, `[2001:db8::1]:80`."""
    if len(text) > _HOP_LENGTH:
        return ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return read_address(host) if not port or port.startswith(":") else ""
    return read_address(text.partition(":")[0] if text.count(":") == 1 else text)
