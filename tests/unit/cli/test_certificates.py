"""What is refused of a certificate before a worker starts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from policy_service.cli.certificates import require_certificate
from policy_service.errors import Refused
from tests.certificates import DAY, Pair, make_pair

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def require(pair: Pair, now: datetime = NOW) -> datetime:
    return require_certificate(str(pair.cert), str(pair.key), now)


def test_it_tells_when_the_certificate_ends(tmp_path: Path) -> None:
    assert require(make_pair(tmp_path, ends=NOW + 3 * DAY)) == NOW + 3 * DAY


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate,
    ],
)
def test_what_the_server_takes(tmp_path: Path, make: Callable[[], ec.EllipticCurvePrivateKey]) -> None:
    require(make_pair(tmp_path, key=make()))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505  to be refused
        lambda: rsa.generate_private_key(3, 2048),
    ],
)
def test_a_key_of_which_workers_would_die(tmp_path: Path, make: Callable[[], ec.EllipticCurvePrivateKey]) -> None:
    with pytest.raises(Refused, match="of a kind"):
        require(make_pair(tmp_path, key=make()))


def test_both_are_needed(pair: Pair) -> None:
    with pytest.raises(Refused, match="--ssl-cert needs --ssl-key"):
        require_certificate(str(pair.cert), "", NOW)
    with pytest.raises(Refused, match="--ssl-key needs --ssl-cert"):
        require_certificate("", str(pair.key), NOW)


@pytest.mark.parametrize("option", ["cert", "key"])
def test_a_file_that_is_none(pair: Pair, tmp_path: Path, option: str) -> None:
    for path, sentence in ((tmp_path / "none", "no such file"), (tmp_path, "directory")):
        with pytest.raises(Refused, match=f"{path} can't be read: .*{sentence}.*--ssl-{option}"):
            require(pair._replace(**{option: path}))


@pytest.mark.parametrize(("option", "what"), [("cert", "no certificate"), ("key", "no private key")])
def test_a_file_of_another_kind(pair: Pair, tmp_path: Path, option: str, what: str) -> None:
    other = tmp_path / "other"
    other.touch(mode=0o600)
    for text in ("", "secret", "-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n"):
        other.write_text(text)
        with pytest.raises(Refused, match=what) as caught:
            require(pair._replace(**{option: other}))
        assert "secret" not in str(caught.value)


def test_a_key_of_another_certificate(pair: Pair, tmp_path: Path) -> None:
    other = make_pair(tmp_path / "other")
    with pytest.raises(Refused, match="is not the private key"):
        require(Pair(pair.cert, other.key))


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_key_that_every_user_can_read(pair: Pair, mode: int) -> None:
    pair.key.chmod(mode)
    with pytest.raises(Refused, match="chmod 600"):
        require(pair)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_key_for_its_owner_or_a_group(pair: Pair, mode: int) -> None:
    pair.key.chmod(mode)
    require(pair)


def test_a_key_with_a_passphrase(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="passphrase"):
        require(make_pair(tmp_path, passphrase=b"x"))


def test_a_certificate_is_valid_from_its_first_second_until_its_last(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, starts=NOW, ends=NOW + DAY)
    second = timedelta(seconds=1)
    require(pair, NOW)
    require(pair, NOW + DAY - second)
    with pytest.raises(Refused, match="not valid before"):
        require(pair, NOW - second)
    with pytest.raises(Refused, match="ended at"):
        require(pair, NOW + DAY)
