"""Hold the size budgets: a file at most 300 lines, a function at most 50, no file named for nothing in particular."""

from __future__ import annotations

import ast
import statistics
import sys
from pathlib import Path

FILE_LINES, FUNCTION_LINES, MEDIAN_LINES = 300, 50, 120
NAMELESS = {"utils", "util", "helpers", "helper", "manager", "handler", "base", "common"}


def findings(path: Path) -> list[str]:
    """What is too large or badly named in one file, a sentence each."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    found = [f"{path}:1: {lines} lines, at most {FILE_LINES}"] if lines > FILE_LINES else []
    if path.stem in NAMELESS:
        found.append(f"{path}:1: `{path.stem}` says nothing about what is inside")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                found.append(f"{path}:{node.lineno}: `{node.name}` has {length} lines, at most {FUNCTION_LINES}")
    return found


def main() -> int:
    """Print every finding; 1 where there is one."""
    files = sorted(Path("policy_service").rglob("*.py"))
    found = [finding for path in files for finding in findings(path)]
    median = statistics.median(path.read_text(encoding="utf-8").count("\n") for path in files)
    if median > MEDIAN_LINES:
        found.append(f"policy_service: the median file has {median} lines, at most {MEDIAN_LINES}")
    print("\n".join(found) or f"size budgets hold ({len(files)} files, median {median:.0f} lines)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
