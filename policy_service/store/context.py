"""The tenant's context in PostgreSQL: who the rows of this transaction may belong to, signed and short-lived.

A setting alone would be no defence: one injected `set_config` and the same statement reads another tenant.
`current_account()` believes only what is signed with a key that the run-time role can't read.
"""

from __future__ import annotations

import hashlib
import hmac
from time import time

from sqlalchemy import Connection

from policy_service.store.data_keys import DataKey
from policy_service.store.powers import SCHEMA

SETTING = "policy_service.account"
SECONDS = 60
USE = "tenant-context"
SKEW_SECONDS = 60
SET = f"SELECT set_config('{SETTING}', %s, true)"
# what a transaction depends on is set with it, whatever the last one on this connection left: which tables are meant
# (a temporary one of the same name never is), and whether it may write. What would stop other tenants goes: a switch
# that makes reads under row level security fail, and locks of the session, whose names anybody can work out
BEGIN = (
    f"{SET}, set_config('search_path', '{SCHEMA}, pg_temp', true), set_config('transaction_read_only', %s, true), "
    "set_config('row_security', 'on', true), pg_advisory_unlock_all()"
)
_BLOCK = 64

# the private schema is the owner's alone; the keys are HMAC's two padded halves, because sha256 is all that is built in
FUNCTION = f"""
CREATE OR REPLACE FUNCTION policy_service.current_account() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  token text := current_setting('{SETTING}', true);
  parts text[];
  said text;
  pads record;
BEGIN
  IF token IS NULL OR token = '' THEN
    RETURN NULL;
  END IF;
  parts := string_to_array(token, '.');
  SELECT inner_pad, outer_pad INTO pads FROM policy_service_private.context_key;
  IF pads IS NULL OR array_length(parts, 1) IS DISTINCT FROM 3 OR parts[2] !~ '^[0-9]{{1,12}}$' THEN
    RAISE EXCEPTION 'bad tenant context';
  END IF;
  said := encode(sha256(pads.outer_pad || sha256(pads.inner_pad || convert_to(parts[1] || '.' || parts[2], 'UTF8'))),
                 'hex');
  -- digests of both sides are compared: how far two texts agree must not show in the time it takes
  IF sha256(convert_to(said, 'UTF8')) IS DISTINCT FROM sha256(convert_to(parts[3], 'UTF8')) THEN
    RAISE EXCEPTION 'bad tenant context';
  END IF;
  IF parts[2]::bigint < extract(epoch FROM clock_timestamp()) THEN
    RAISE EXCEPTION 'expired tenant context';
  END IF;
  -- a clock that is ahead would sign what stays good for as long
  IF parts[2]::bigint > extract(epoch FROM clock_timestamp()) + {SECONDS + SKEW_SECONDS} THEN
    RAISE EXCEPTION 'tenant context from the future';
  END IF;
  RETURN parts[1];
END
$$
"""  # noqa: S608  of our own words alone


def mint(key: bytes, account: str) -> str:
    """A context for `account` that ends in a minute: `account.expiry.hmac`."""
    said = f"{account}.{int(time()) + SECONDS}"
    return f"{said}.{hmac.new(key, said.encode(), hashlib.sha256).hexdigest()}"


def install_key(connection: Connection, key: DataKey) -> None:
    """Put the key into the private schema, where `current_account` finds it; for the owner."""
    secret = key.derive(USE)
    block = secret.ljust(_BLOCK, b"\0")
    pads = bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
    connection.exec_driver_sql("DELETE FROM policy_service_private.context_key")
    connection.exec_driver_sql("INSERT INTO policy_service_private.context_key VALUES (%s, %s)", pads)
