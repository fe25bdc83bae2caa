"""The certificate that `serve` shows, looked at before a worker starts: one that fails there would fail for ever."""

from __future__ import annotations

import os
import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from policy_service.errors import Refused

_OTHERS = 0o007


def require_certificate(cert: str, key: str, now: datetime) -> datetime:
    """When the certificate ends; `Refused` where `cert` and `key`, both PEM, can't serve TLS at the time `now`.

    `cert` is the certificate of the service with those of its issuers behind it.
    """
    if not cert or not key:
        given, missing = ("--ssl-cert", "--ssl-key") if cert else ("--ssl-key", "--ssl-cert")
        raise Refused(f"{given} needs {missing}: TLS takes a certificate and its private key")
    shown = _read_certificate(cert)
    private = _read_key(key)
    if private.public_key() != shown.public_key():
        raise Refused(f"{key} is not the private key of the certificate in {cert}, name the two that belong together")
    _require_valid(shown, cert, now)
    try:
        # what neither look found, such as a signature too weak for OpenSSL
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise Refused(f"{cert} with {key} can't serve TLS: {error.strerror or error}") from None
    return shown.not_valid_after_utc


def _read_certificate(path: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(Path(path).read_bytes())[0]
    except OSError as error:
        raise Refused(f"{path} can't be read: {(error.strerror or str(error)).lower()}, see --ssl-cert") from None
    except ValueError:
        raise Refused(f"{path} holds no certificate in PEM, see --ssl-cert") from None


def _read_key(path: str) -> PrivateKeyTypes:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        raise Refused(f"{path} can't be read: {(error.strerror or str(error)).lower()}, see --ssl-key") from None
    if mode & _OTHERS:
        raise Refused(f"{path} is open to every user of this machine, `chmod 600` it and think of a new key")
    try:
        key = load_pem_private_key(text, None)
    except TypeError:
        raise Refused(f"{path} is encrypted by a passphrase, write it without: the workers can't ask for one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(f"{path} holds no private key in PEM, see --ssl-key") from None
    if not _is_usable(key):
        raise Refused(
            f"{path} is of a kind the server can't use, make one of P-256, P-384, Ed25519 or RSA 2048 to 4096"
        )
    return key


def _is_usable(key: PrivateKeyTypes) -> bool:
    """Whether the server's TLS library (rustls with ring) takes the key; a worker would die of another one."""
    if isinstance(key, RSAPrivateKey):
        return 2048 <= key.key_size <= 4096 and key.public_key().public_numbers().e >= 65537
    if isinstance(key, EllipticCurvePrivateKey):
        return isinstance(key.curve, SECP256R1 | SECP384R1)
    return isinstance(key, Ed25519PrivateKey)


def _require_valid(shown: x509.Certificate, path: str, now: datetime) -> None:
    starts, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
    if now < starts:
        raise Refused(f"the certificate in {path} is not valid before {starts:%Y-%m-%dT%H:%M:%SZ}, see the clock")
    if now >= ends:
        raise Refused(f"the certificate in {path} ended at {ends:%Y-%m-%dT%H:%M:%SZ}, renew it")
