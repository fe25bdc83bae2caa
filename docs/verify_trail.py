"""Verify an exported trail without policy-service: Python 3.10 or later and this file are all that is needed.

    policy-service trail export acme --out acme.trail
    python3 verify_trail.py acme.trail
    python3 verify_trail.py acme.trail acme.heads    # and that the heads kept in acme.heads are still part of it

Exit code 0: each entry follows from the one before. 1: it does not, and the first wrong place is printed.
Signatures are checked where `cryptography` is installed, with the public keys of the export's first line: compare the
keys printed with those you noted before, for whoever makes up a whole trail makes up its keys too.
"""

import fileinput
import hashlib
import json
import sys

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    InvalidSignature = Ed25519PublicKey = None


def sha256(*parts):
    return hashlib.sha256(b"".join(p if isinstance(p, bytes) else p.encode("utf-8", "surrogatepass") for p in parts))


def check_signature(head, keys):
    fields = (head["account"], head["head"], head["hash"], head["at"], head["key"])
    message = "".join(f"{line}\n" for line in ("policy-service trail head v1", *fields)).encode()
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(keys[str(head["key"])]))
        public.verify(bytes.fromhex(head["signature"]), message)
    except (InvalidSignature, KeyError):
        raise ValueError(f"the signature of head {head['head']} is wrong") from None


def verify(lines, kept):
    """Go through the lines; give the first one and how many heads there are. ValueError at what is wrong first."""
    first = json.loads(next(lines, "{}"))
    if first.get("format") != "policy-service trail v1":
        raise ValueError("no trail in a format that this program knows")
    seq, last, heads, signed = 0, sha256(b"\x02", first["account"]), 0, 0
    for line in map(json.loads, lines):
        if "head" in line:
            if (line["account"], line["head"], line["hash"]) != (first["account"], seq, last.hexdigest()):
                raise ValueError(f"head {line['head']!r} is not the end of the links before it")
            if Ed25519PublicKey:
                check_signature(line, first["keys"])
            heads, signed = heads + 1, seq
            continue
        if line["seq"] != seq + 1 or line["body"] is None:
            raise ValueError(f"link {seq + 1} or its entry was removed, or link {line['seq']!r} was put here")
        seq, last = seq + 1, sha256(b"\x01", last.digest(), sha256(b"\x00", line["id"], b"\n", line["body"]).digest())
        if line["hash"] != last.hexdigest():
            raise ValueError(f"link {seq} or its entry {line['id']!r} was changed")
        if kept.pop(seq, line["hash"]) != line["hash"]:
            raise ValueError(f"link {seq} is another one than when its head was kept: the trail was written again")
    if signed != seq or first["links"] != seq or kept:
        raise ValueError(f"the trail was cut off after link {seq}")
    return first, heads


def main(path, kept_path=None):
    kept = {}
    if kept_path:
        with open(kept_path, encoding="utf-8") as file:
            kept = {head["head"]: head["hash"] for head in map(json.loads, file) if "head" in head}
    with fileinput.input(path, encoding="utf-8") as lines:
        try:
            first, count = verify(lines, kept)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            why = error if isinstance(error, ValueError) else f"not readable ({error!r})"
            sys.exit(f"{path}:{lines.filelineno()}: {why}")
    print(f"the trail of {first['account']!r} holds: {first['links']} entries, {count} heads")
    for version, key in first["keys"].items() if Ed25519PublicKey else ():
        print(f"signatures verified with key {version!r}: {key!r}")
    if not Ed25519PublicKey:
        print("signatures were NOT verified, `cryptography` is not installed: only the hashes were")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
