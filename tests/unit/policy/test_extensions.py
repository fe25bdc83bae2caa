"""Values of extension types, as Cedar reads and computes them."""

import pytest

from policy_service.policy.engines.cedar import is_literal
from policy_service.policy.extensions import READ, Datetime, Duration, Ip
from policy_service.policy.operators import BINARY, UNARY, is_equal

LITERALS = {
    "ip": (
        "10.0.0.1", "10.0.0.1/32", "10.0.0.1/0", "10.0.0.1/33", "10.0.0.1/08", "10.0.0.1/", "10.0.0.1/+8", "10.0.0.01",
        "10.0.0", "10.0.0.256", "::", "::1", "::1/128", "::1/129", "::1/000", "1::2::3", "1:2:3:4:5:6:7::",
        "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "12345::", "::1%eth0", "fe80::1%1",
        "", " ::1", "::1 ", "1111:2222:3333:4444:5555:6666:7777:8888/128", "1.2.3.4/1/1", "\u0661.0.0.1", "::G",
        "10.0.0.1\n", "0x1.0.0.1", "01111:2222:3333:4444:5555:6666:7777:8888", "1.2.3.4:80", ":1", ":::", "::1.2.3.4",
        "1.2.3.4::",
    ),
    "decimal": (
        "1.0", "1", "1.", ".1", "-1.5", "+1.5", "1.23456", "1.2345", "01.50", "-0.0", "1e2", "1.0 ", "", "-", "-.1",
        "922337203685477.5807", "922337203685477.5808", "-922337203685477.5808", "-922337203685477.5809",
        "9999999999999999999999.0", "0" * 40 + "1.0", "\u0661.0", "1.\u0661", "1.0\n", "1_0.0", "9" * 5000 + ".0",
    ),
    "datetime": (
        "2026-01-01", "2026-1-1", "0000-01-01", "9999-12-31", "10000-01-01", "2026-02-29", "2024-02-29", "1900-02-29",
        "2000-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z", "2026-01-01T23:59:60Z", "2026-01-01T23:60:00Z", "2026-01-01T00:00:00.1Z",
        "2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00.1234Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00-2359",
        "2026-01-01T00:00:00+2400", "2026-01-01T00:00:00+0060", "2026-01-01T00:00:00+01:00",
        "2026-01-01T00:00:00.123+0100", "2026-01-01t00:00:00z", "2026-01-01 00:00:00Z", "2026-01-01Z",
        "2026-01-01T00:00Z", "", "-2026-01-01", "2026-01-01\n", "202\u0666-01-01", "0000-01-01T00:00:00+2359",
        "9999-12-31T23:59:59.999-2359",
    ),
    "duration": (
        "1d", "1d2h3m4s5ms", "2h1d", "1d1d", "-1d", "+1d", "- 1d", "1", "d", "", "-", "1.5h", "1d ", " 1d", "0ms",
        "-0ms", "106751991167d", "106751991168d", "9223372036854775807ms", "9223372036854775808ms",
        "-9223372036854775808ms", "-9223372036854775809ms", "106751991167d7h12m55s807ms", "106751991167d7h12m55s808ms",
        "-106751991167d7h12m55s808ms", "-106751991167d7h12m55s809ms", "18446744073709551616ms", "1m1ms", "1ms1m", "1D",
        "\u0661d", "1d\n", "00001d", "9223372036854775807ms1d", "9" * 5000 + "d", "9223372036854775s",
        "9223372036854776s", "-9223372036854776s",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in LITERALS.items() for text in texts])
def test_the_texts_that_cedar_reads_are_read(kind, text):
    try:
        READ[kind](text)
    except ValueError:
        assert not is_literal(kind, text)
    else:
        assert is_literal(kind, text)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("ip", "10.0.0.1", "10.0.0.1/32"),
        ("ip", "::1", "0:0:0:0:0:0:0:1/128"),
        ("decimal", "1.5", "01.5000"),
        ("decimal", "0.0", "-0.0"),
        ("datetime", "2026-01-01", "2025-12-31T22:30:00.000-0130"),
        ("duration", "1d", "24h"),
        ("duration", "-1m", "-60s"),
    ],
)
def test_what_is_written_in_two_ways_is_one_value(kind, one, other):
    assert is_equal(READ[kind](one), READ[kind](other))


def test_values_of_two_types_are_two():
    assert not is_equal(Datetime(0), Duration(0))
    assert not is_equal(READ["decimal"]("1.0"), 1)
    assert not is_equal(Ip(4, 1, 32), Ip(6, 1, 32))
    assert not is_equal(READ["ip"]("10.0.0.1/8"), READ["ip"]("10.0.0.2/8"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("0000-01-01", -62167219200000),
        ("0000-12-31", -62135683200000),
        ("2000-03-01T00:00:00+0100", 951865200000),
        ("9999-12-31T23:59:59.999Z", 253402300799999),
    ],
)
def test_moments(text, moment):
    assert READ["datetime"](text) == Datetime(moment)


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        ("127.0.0.1", {"is_ipv4", "is_loopback"}),
        ("127.0.0.0/8", {"is_ipv4", "is_loopback"}),
        ("127.0.0.0/7", {"is_ipv4"}),
        ("::1", {"is_ipv6", "is_loopback"}),
        ("::1/127", {"is_ipv6"}),
        ("224.0.0.1", {"is_ipv4", "is_multicast"}),
        ("239.255.0.0/4", {"is_ipv4", "is_multicast"}),
        ("224.0.0.0/3", {"is_ipv4"}),
        ("ff02::1", {"is_ipv6", "is_multicast"}),
        ("ff00::/7", {"is_ipv6"}),
    ],
)
def test_what_an_address_is(text, tests):
    names = ("is_ipv4", "is_ipv6", "is_loopback", "is_multicast")
    assert {name for name in names if UNARY[name](READ["ip"](text))} == tests


@pytest.mark.parametrize(
    ("one", "other", "within"),
    [
        ("10.0.0.1", "10.0.0.0/8", True),
        ("10.0.0.1/8", "10.9.9.9/8", True),
        ("10.0.0.0/7", "10.0.0.0/8", False),
        ("11.0.0.1", "10.0.0.0/8", False),
        ("::1", "::/0", True),
        ("0.0.0.1", "::/0", False),
        ("::1", "0.0.0.0/0", False),
    ],
)
def test_ranges(one, other, within):
    assert BINARY["is_in_range"](READ["ip"](one), READ["ip"](other)) is within


def test_moments_and_spans_are_computed_within_64_bits():
    largest, smallest = 2**63 - 1, -(2**63)
    assert BINARY["offset"](Datetime(5), Duration(-7)) == Datetime(-2)
    assert BINARY["duration_since"](Datetime(5), Datetime(7)) == Duration(-2)
    assert UNARY["to_date"](Datetime(-1)) == Datetime(-86_400_000)
    assert UNARY["to_time"](Datetime(-1)) == Duration(86_399_999)
    assert [UNARY[name](Duration(-90_061_001)) for name in ("to_milliseconds", "to_seconds", "to_minutes")] == [
        -90_061_001,
        -90_061,
        -1_501,
    ]
    assert [UNARY[name](Duration(-90_061_001)) for name in ("to_hours", "to_days")] == [-25, -1]
    for op, left, right in (
        ("offset", Datetime(largest), Duration(1)),
        ("duration_since", Datetime(smallest), Datetime(1)),
    ):
        with pytest.raises(ValueError, match="64 bits"):
            BINARY[op](left, right)
    with pytest.raises(ValueError, match="64 bits"):
        UNARY["to_date"](Datetime(smallest))
