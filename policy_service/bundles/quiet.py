"""Reading a folder so that half a change is never read."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from policy_service.bundles.sources import Source, read_layer, signature
from policy_service.model import Finding

QUIET = 0.2  # seconds without a change before anything is read
PATIENCE = 5.0  # how long a first load waits for files that keep changing


def read_still(folder: Path, root: str, quiet: float) -> Source | None:
    """What the folder holds; none where it moved while it was read, or less than `quiet` seconds before."""
    source = read_layer(folder, root)
    # events come late, and may say that it is quiet while the next file is being written
    if -1 < time.time() - source.changed_at < quiet:
        return None
    return source if signature(folder) == source.signature else None


def read_quiet(folder: Path, root: str, quiet: float) -> Source:
    """What the folder holds once nothing in it has changed for `quiet` seconds; what keeps changing is a finding."""
    until = time.monotonic() + PATIENCE
    while True:
        source = read_layer(folder, root)
        age = time.time() - source.changed_at
        # a disk's clock may be ahead of ours: a time far in the future tells nothing
        if not -1 < age < quiet and signature(folder) == source.signature:
            return source
        late = time.monotonic() > until
        time.sleep(quiet if late else max(0.01, min(quiet, quiet - age)))
        if late:
            if signature(folder) == source.signature:
                return source  # what changes is no part of the bundle
            finding = Finding(root, 1, "its files keep changing, so what they are meant to be can't be told")
            return replace(source, findings=(*source.findings, finding), signature=(), digest="f" * 64)
