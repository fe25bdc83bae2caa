"""The keyring that the settings name: a file, or a key of AWS KMS."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from policy_service.config import Settings
from policy_service.errors import NoKey
from policy_service.store.file_keyring import FileKeyring, create_file, rotate
from policy_service.store.wrapping import Keyring, KeyringHealth, Wrapped

__all__ = ["Keyring", "KeyringHealth", "Wrapped", "keyring_path", "open_keyring", "rotate_file"]

_KMS = "aws-kms:"
_PROVIDER = re.compile(r"[a-z][a-z0-9+-]*:", re.ASCII)


def open_keyring(settings: Settings, *, create: bool = False) -> Keyring:
    """The keyring, which was seen to hold or reach its current KEK.

    `create` makes the file, with a first KEK, where there is none: only where nothing was encrypted yet. `NoKey`
    where it is missing, malformed, readable by others or refused to us; `StoreFailed` where it can't be reached.
    """
    if settings.keyring.startswith(_KMS):
        try:
            aws_kms = importlib.import_module("policy_service.store.aws_kms")
        except ModuleNotFoundError:
            raise NoKey("a keyring at AWS KMS needs boto3, run `pip install 'policy-service[aws]'`") from None
        keyring: Keyring = aws_kms.open_key(settings.keyring.removeprefix(_KMS))
        return keyring
    path = _path(settings)
    if create:
        if not settings.keyring:
            settings.data.mkdir(parents=True, exist_ok=True)
        create_file(path)
    return FileKeyring(path)


def keyring_path(settings: Settings) -> Path | None:
    """The file of the keyring; `None` where it is none."""
    return None if settings.keyring.startswith(_KMS) else _path(settings)


def rotate_file(settings: Settings) -> str | None:
    """Add a KEK that wraps from now on and return its id; `None` where the key service rotates by itself."""
    path = keyring_path(settings)
    return None if path is None else rotate(path)


def _path(settings: Settings) -> Path:
    if match := _PROVIDER.match(settings.keyring):
        raise NoKey(f"there is no keyring provider `{match[0]}`, name a file or `aws-kms:KEY_ID`")
    return Path(settings.keyring) if settings.keyring else settings.data / "keyring.json"
