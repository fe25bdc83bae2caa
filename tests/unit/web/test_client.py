"""The address that `context.caller.ip` says."""

from __future__ import annotations

import pytest

from policy_service.web.client import read_address


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::FFFF:0a01:0203", "10.1.2.3"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_an_address_is_one_that_cedar_can_compare(told, address):
    assert read_address(told) == address
