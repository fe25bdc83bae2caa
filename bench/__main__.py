"""`make bench`: measure, print the table, write `bench/RESULTS.md`; `python -m bench filters` does one part of it."""

from __future__ import annotations

import platform
import re
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
RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Measured

Ratios are medians of rounds taken in turn in one run; absolute figures are this machine's.
"""


def main(names: list[str]) -> None:
    """Measure the parts whose last word is named, or all, and write what was measured of them into the table."""
    for name, part in PARTS.items():
        if not names or name.split()[-1].lower() in names:
            print(f"\n{name}", flush=True)
            keep(name, [tell(row) for row in part()])


def tell(row: Row) -> str:
    """Print a row; it as a line of the table."""
    against = f" of {row.against}" if row.against else ""
    bound = f", bound {row.bound}" if row.bound else ""
    print(f"  {row.what}: {row.figure}{against}{bound}", flush=True)
    return f"| {row.what} | {row.figure} | {row.against} | {row.bound} |"


def keep(name: str, lines: list[str]) -> None:
    """Put one part into the table, in place of what was measured of it before."""
    parts = read_parts()
    measured = f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.machine()}."
    head = "| what | figure | against | bound |\n|---|---|---|---|"
    parts[name] = "\n".join([measured, "", head, *lines])
    written = [f"\n## {part}\n\n{parts[part]}\n" for part in PARTS if part in parts]
    RESULTS.write_text(_HEAD + "".join(written), encoding="utf-8")


def read_parts() -> dict[str, str]:
    """The parts of the table, by their names."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    return {name: body.strip() for name, body in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", text, re.MULTILINE)}


if __name__ == "__main__":
    main(sys.argv[1:])
