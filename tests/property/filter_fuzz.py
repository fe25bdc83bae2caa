"""Compares filters with checks for as long as it is told: `python -m tests.property.filter_fuzz --seconds 60`.

It prints what it compared, and each world in which two answers differ. The same seed makes the same worlds;
what is known of a store may be that of the world before, so that `--first` is best the number before the one wanted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from policy_service.config import Settings
from policy_service.store.door import Store
from tests.property.filter_cases import FOLDER, read_case, write_case
from tests.property.filter_draws import by_seed
from tests.property.filter_runs import EDITED, Failed, Run, Size
from tests.property.filter_worlds import ACCOUNT
from tests.stores import KINDS, Place, make_place_in, start_cluster

# so many worlds with differing answers end a run
MOST_FAILURES = 10
_PROGRESS_SECONDS = 30.0


@contextmanager
def open_store(kind: str, locale: str = "") -> Iterator[Store]:
    """A store of its own with one tenant."""
    with tempfile.TemporaryDirectory(prefix="policy-fuzz-") as folder:
        settings = Settings(data=Path(folder) / "data")
        if kind == "sqlite":
            yield from _opened(Place(kind, settings))
        else:
            with (
                start_cluster(Path(folder), locale, durable=False) as cluster,
                make_place_in(cluster, settings) as place,
            ):
                yield from _opened(place)


def _opened(place: Place) -> Iterator[Store]:
    store = place.open((ACCOUNT,))
    try:
        yield store
    finally:
        store.close()


def fuzz(run: Run, seed: str, until: float, first: int = 0) -> int:
    """How many worlds failed, from `seed`/`first` on, until a time of the monotonic clock."""
    failures, number, told, size = 0, first, time.monotonic(), run.size
    started = told
    while time.monotonic() < until and failures < MOST_FAILURES:
        # one world in four is changed more than it is asked about
        run.size = EDITED if number % 4 == 3 else size
        try:
            run.go(by_seed(f"{seed}/{number}"))
        except Failed as failed:
            failures += 1
            print(f"\n{seed}/{number} FAILED {failed}", flush=True)
            smallest = run.shrink(failed)
            if smallest:
                print(f"the smallest such case:\n{Failed(failed.error, smallest)}\n{write_case(smallest)}", flush=True)
            if not isinstance(failed.error, AssertionError):
                traceback.print_exception(failed.error, limit=-6)
        number += 1
        if time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            rows = run.tally.rows
            print(
                f"{seed}/{number}: {rows:,} rows, {rows / (told - started):,.0f} a second, {failures} failed",
                flush=True,
            )
    return failures


def main() -> int:
    """1 where any world failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--first", type=int, default=0, help="the number of the first world")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--edits", action="store_true", help="change worlds more often, and ask less of each")
    parser.add_argument("--locale", default="", help="of the machine, by which PostgreSQL sorts")
    given = parser.parse_args()
    with open_store(given.database, given.locale) as store:
        run = Run(store, EDITED if given.edits else Size())
        for path in sorted(FOLDER.glob("*.yaml")):
            run.compare_case(read_case(path.read_text(encoding="utf-8")))
        failures = fuzz(run, given.seed, time.monotonic() + given.seconds, given.first)
    print(f"{given.database}: {run.tally.rows:,} rows compared, {failures} worlds failed\n{run.tally.write()}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
