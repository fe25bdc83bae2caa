"""The alphabet of keys."""

from __future__ import annotations

import math
import string

from policy_service.identity.base62 import ALPHABET, checksum, draw, encode


def test_every_digit_and_letter_is_used_once() -> None:
    assert sorted(ALPHABET) == sorted(string.ascii_letters + string.digits)


def test_numbers_are_written_most_significant_first_and_filled() -> None:
    assert encode(0, 3) == "000"
    assert encode(61, 2) == "0z"
    assert encode(62, 1) == "10"


def test_a_checksum_has_six_characters_and_sees_a_change() -> None:
    assert len(checksum("")) == len(checksum("psk_acme_a_b")) == 6
    assert checksum("psk_acme_a_b") != checksum("psk_acme_a_c")


def test_a_secret_holds_256_bits_and_is_never_drawn_twice() -> None:
    assert 43 * math.log2(len(ALPHABET)) >= 256
    drawn = {draw(43) for _ in range(200)}
    assert len(drawn) == 200
    assert set("".join(drawn)) == set(ALPHABET)
