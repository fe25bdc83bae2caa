"""What many small tenants cost the process that holds them, as JSON: `python -m bench.idle_tenants FOLDER COUNT`."""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.material import gatherer, request
from bench.server import ROOT, rss
from policy_service.bundles.current import Bundles
from policy_service.config import Settings
from policy_service.policy.decide import decide
from policy_service.policy.request import ask

# what the first tenants of a process cost is not what one more costs
FIRST = 20


def measure(folder: Path, count: int, data: Path) -> dict[str, float]:
    """Bytes of a tenant that was loaded and of one that has decided, and milliseconds that loading takes."""
    settings = Settings(policies=ROOT / "policies", tenants=folder / "tenants", data=data, bundles=FIRST + count)
    bundles = Bundles(settings)
    names = sorted(bundles.names())[: FIRST + count]
    first, others = names[:FIRST], names[FIRST:]
    use(bundles, first)
    start, before = time.perf_counter(), held()
    for name in others:
        bundles.current(name)
    seconds, loaded = time.perf_counter() - start, held()
    use(bundles, others)
    used = held()
    return {
        "loaded": (loaded - before) / count,
        "used": (used - before) / count,
        "load_ms": seconds / count * 1000,
    }


def use(bundles: Bundles, names: Sequence[str]) -> None:
    """One decision of each tenant."""
    asked = request()
    for name in names:
        bundle = bundles.current(name)
        decide(bundle, gatherer(bundle).gather(ask(asked)))


def held() -> int:
    """Bytes of this process after it has thrown away what it can."""
    gc.collect()
    return rss()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), Path(place))))
