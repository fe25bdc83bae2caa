"""cedarpy can be killed by text. Each of these runs in a process of its own."""

import subprocess
import sys

import pytest

RAW = """
import sys, threading, cedarpy
threading.stack_size(2 * 1024 * 1024)
text = "permit(principal, action, resource) when { " + {deep} + " };"
thread = threading.Thread(target=lambda: cedarpy.policies_to_pst(text))
thread.start(); thread.join()
"""

GUARDED = """
import threading
from policy_service.policy.engines import cedar, cedar_schema
from policy_service.policy.scope import LIMITS

D, N = LIMITS.policy_nesting - 1, LIMITS.policy_operators - 10
RULE = "permit(principal, action, resource) when { %s };"
nested = ["(" * D + "%s" + ")" * D, "[" * D + "%s" + "]" * D, "{a: " * D + "%s" + "}" * D, "(!" * D + "%s" + ")" * D,
          "(if true then " * D + "%s" + " else false)" * D, "ip(" * D + "%s" + ")" * D, "context[" * D + "%s" + "]" * D]
chains = ["true" + " && true" * N, "true" + " || true" * N, "1" + " + 1" * N, "1" + " * 1" * N, "context" + ".a" * N,
          'context' + '["a"]' * N, "context" + "()" * N, "if true then true else " * N + "true", "!" * N + "true",
          "-" * N + "1", "context has a" + ".a" * N, "if " * N + "true" + " then true else true" * N,
          "A::" * N + 'B::"x"']
texts = [RULE % (outer % inner) for outer in nested for inner in ["true", "1", *chains[:4]]]
texts += [RULE % chain for chain in chains]
# within what the tree takes, so that they are evaluated as well
flat = ["true" + " && true" * 90, "true" + " || false" * 90, "1" + " + 1" * 90 + " == 91", "context" + ".a" * 90,
        "if true then true else " * 90 + "true"]
texts += [RULE % chain for chain in flat] + ["permit(principal, action, resource) " + "when { true } " * 64 + ";"]
texts += ["".join(texts[-6:]), RULE % ("(" * 100_000), RULE % ("true" + " && true" * 100_000)]

request = {"principal": {"type": "U", "id": ""}, "action": {"type": "A", "id": ""}, "resource": {"type": "U", "id": ""}}
def answer(policies):
    compiled = cedar.compile_set(policies)
    cedar.cedarpy.is_authorized({**request, "context": "{}"}, compiled.handle, "[]")

parsed = 0
def run():
    global parsed
    for text in texts:
        policies, findings = cedar.parse("x.cedar", text)
        assert policies or findings
        if policies:
            parsed += 1
            answer(policies)

# callers have small stacks; the parser has its own
threading.stack_size(256 * 1024)
thread = threading.Thread(target=run)
thread.start(); thread.join()
for schema in ("entity A = {a: " + "Set<" * 62 + "Long" + ">" * 62 + "};",
               "entity A = " + "{a: " * 63 + "Long" + "}" * 63 + ";",
               "entity A = {a: " + "Set<" * 9000 + "Long" + ">" * 9000 + "};",
               "".join(f"type A{n} = {{x: A{n + 1}}};" for n in range(60)) + "type A60 = Long;"):
    cedar_schema.parse_schema("s", schema, platform=True)
print("parsed", parsed)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("deep", ["'(' * 3000 + 'true' + ')' * 3000", "'1' + ' + 1' * 60_000"])
def test_without_the_guard_the_process_dies(deep):
    assert run(RAW.replace("{deep}", deep)).returncode < 0


def test_whatever_passes_the_guard_is_parsed_and_evaluated_without_a_crash():
    done = run(GUARDED)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("parsed ")
    assert int(done.stdout.split()[1]) >= 15
