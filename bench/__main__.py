"""`make bench`: measure, print the table, write `bench/RESULTS.md`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from bench import bundles, filters, in_process, over_http, store
from bench.timing import Row

PARTS: dict[str, Callable[[], Iterable[Row]]] = {
    "In process": in_process.rows,
    "Over HTTP": over_http.rows,
    "Bundles": bundles.rows,
    "Store": store.rows,
    "Filters": filters.rows,
}


def main(names: list[str]) -> None:
    """Measure the parts whose first word is named, or all, and write the table where all were measured."""
    chosen = {name: part for name, part in PARTS.items() if not names or name.split()[-1].lower() in names}
    lines = [
        "# Measured",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.machine()}. "
        "Ratios are medians of rounds taken in turn in one run; absolute figures are this machine's.",
    ]
    for name, part in chosen.items():
        lines += ["", f"## {name}", "", "| what | figure | against | bound |", "|---|---|---|---|"]
        print(f"\n{name}", flush=True)
        for row in part():
            lines.append(f"| {row.what} | {row.figure} | {row.against} | {row.bound} |")
            print(
                f"  {row.what}: {row.figure}"
                + (f" of {row.against}" if row.against else "")
                + (f", bound {row.bound}" if row.bound else ""),
                flush=True,
            )
    if len(chosen) == len(PARTS):
        Path(__file__).with_name("RESULTS.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
