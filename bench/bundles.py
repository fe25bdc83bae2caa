"""Files: what tenants cost while nobody asks, how fast a service starts among many, how soon an edit is live."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import copytree

from bench.material import groups, irrelevant, relevant
from bench.server import ROOT, Line, bearer, cpu, free_port, lines, question, rss, serve, started
from bench.timing import Row
from policy_service.bundles.load import load
from policy_service.identity import keys

FEW, MANY, IDLE, LOADED = 10, 10_000, 1_000, 100
WORKERS = 2
STARTS, EDITS, PLATFORM_EDITS, COLD = 3, 7, 5, 30
# how many of the loaded tenants are asked; asking all would take the time that is measured
ASKED = 10
# an edit that is not live by then will not be
PATIENCE = 20.0
POLICY = (
    '@id("readers") permit(principal in Group::"readers", action == Action::"read", resource)'
    " when { resource.level < 3 };\n"
    '@id("not-secret") forbid(principal, action, resource) when { resource has secret && resource.secret };\n'
)


def rows() -> Iterator[Row]:
    """One row a figure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = make_tenants(folder / "few", FEW), make_tenants(folder / "many", MANY)
        yield from idle(many)
        asked = give_keys(many, [f"t{number}" for number in range(COLD)])
        own = give_keys(few, ["t0"])
        small, large = [], []
        for last in (False,) * (STARTS - 1) + (True,):
            with start(few, own["t0"]) as (told, port, pid):
                small.append(told)
                if last:
                    yield edit(port, pid, few, own["t0"], f"{FEW} tenant folders")
            with start(many, asked["t0"]) as (told, port, pid):
                large.append(told)
                if last:
                    yield cold(port, asked)
                    yield edit(port, pid, many, asked["t0"], f"{MANY:,} tenant folders")
        yield from compare_starts(small, large)
        yield from edit_platform(make_tenants(folder / "loaded", LOADED))
        yield parse(folder / "parse")


def make_tenants(folder: Path, count: int) -> Path:
    """A folder with the tenants `t0`, `t1`, … of three files each."""
    for number in range(count):
        tenant = folder / "tenants" / f"t{number}"
        tenant.mkdir(parents=True)
        (tenant / "tenant.yaml").write_text(f"name: tenant {number}\n")
        (tenant / "own.cedar").write_text(POLICY)
        (tenant / "groups.csv").write_text(f"g, user:alice, group:readers, t{number}\n")
    return folder


def give_keys(folder: Path, tenants: Iterable[str]) -> dict[str, str]:
    """A new key for each of these tenants."""
    return {name: keys.create(folder / "tenants", name, now=time.time())[0] for name in tenants}


def idle(folder: Path) -> Iterator[Row]:
    """What small tenants cost in memory, in a process of its own."""
    told = json.loads(
        subprocess.run(
            [sys.executable, "-m", "bench.idle_tenants", str(folder), str(IDLE)],
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
    )
    of = f"{IDLE:,} tenants of 2 policies and 1 group"
    yield Row("memory of an idle tenant, loaded", f"{told['loaded'] / 1000:.0f} kB", of)
    yield Row("memory of an idle tenant that has decided", f"{told['used'] / 1000:.0f} kB", of)
    yield Row("load of a tenant nobody has judged, last good stored", f"{told['load_ms']:.1f} ms", of)


@contextmanager
def start(folder: Path, key: str) -> Iterator[tuple[dict[str, float], int, int]]:
    """A service that was just started: seconds to each of its first signs of life, its port and process."""
    port = free_port()
    begun = time.perf_counter()
    with started(serve(folder, port, WORKERS)) as pid:
        line = wait_until_healthy(port)
        healthy = time.perf_counter() - begun
        body = question("alice", "d1")
        if line.post(body, bearer(key)).body != b'{"decision":true}':
            raise SystemExit("the first decision is not the one that was to be expected")
        decided = time.perf_counter() - begun
        line.close()
        with lines(port, pid, WORKERS) as found:
            told = {"memory": statistics.mean(map(rss, found)), "cpu": cpu(pid)}
        yield {**told, "healthy": healthy, "decided": decided}, port, pid


def wait_until_healthy(port: int) -> Line:
    """A connection over which `/healthz` said that the service can decide."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            line = Line(port)
            if line.get("/healthz").status == 200:
                return line
        except OSError:
            time.sleep(0.01)
    raise SystemExit("the service does not start")


def compare_starts(small: Sequence[Mapping[str, float]], large: Sequence[Mapping[str, float]]) -> Iterator[Row]:
    """Starting among many tenants, held against starting among few."""
    against = f"{FEW} tenant folders"

    def median(sign: str) -> tuple[float, float]:
        return statistics.median(each[sign] for each in large), statistics.median(each[sign] for each in small)

    for what, sign in (
        ("until `/healthz` answers", "healthy"),
        ("until the first decision", "decided"),
        (f"CPU until {WORKERS} workers answer", "cpu"),
    ):
        many, few = median(sign)
        figure = f"{many / few:.2f}× ({many:.2f} / {few:.2f} s)"
        yield Row(f"start with {MANY:,} tenant folders, {what}", figure, against)
    many, few = median("memory")
    figure = f"{many / few:.2f}× ({many / 1e6:.0f} / {few / 1e6:.0f} MB)"
    yield Row(f"memory of a worker that started with {MANY:,} tenant folders", figure, against)


def cold(port: int, asked: Mapping[str, str]) -> Row:
    """The first decision of tenants nobody asked for yet, and the second."""
    line = wait_until_healthy(port)
    times: list[tuple[float, float]] = []
    for key in list(asked.values())[1:]:
        ask = partial(line.post, question("alice", "d1"), bearer(key))
        times.append((timed(ask), timed(ask)))
    line.close()
    first, second = (statistics.median(pair[side] for pair in times) * 1000 for side in (0, 1))
    return Row("first decision of a cold tenant, over HTTP", f"{first:.1f} ms", f"{second:.1f} ms for its second")


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def edit(port: int, pid: int, folder: Path, key: str, among: str) -> Row:
    """An edit of one file of a tenant, until every worker answers by it."""
    file = folder / "tenants" / "t0" / "own.cedar"
    with lines(port, pid, WORKERS) as found:
        times = [
            max(wait_for_change(file, POLICY + f"// {number}\n", found.values(), {"t0": key}).values())
            for number in range(EDITS)
        ]
    return Row(f"a one-file edit live in {WORKERS} workers, {among}", spread(times), "", "< 1 s")


def edit_platform(folder: Path) -> Iterator[Row]:
    """An edit of the platform's layer, until every worker answers by it for each tenant it holds."""
    policies = folder / "policies"
    copytree(ROOT / "policies", policies)
    own = give_keys(folder, [f"t{number}" for number in range(LOADED)])
    asked = {name: key for number, (name, key) in enumerate(own.items(), 1) if number % (LOADED // ASKED) == 0}
    file, port = policies / "password.cedar", free_port()
    text = file.read_text()
    with started(serve(folder, port, WORKERS, policies)) as pid:
        wait_until_healthy(port).close()
        with lines(port, pid, WORKERS) as found:
            for line in found.values():
                for key in own.values():
                    version(line, key)
            times = [
                sorted(wait_for_change(file, f"{text}// {number}\n", found.values(), asked).values())
                for number in range(PLATFORM_EDITS)
            ]
    what = f"an edit of the platform's layer live in {WORKERS} workers, {LOADED} tenants loaded in each"
    yield Row(f"{what}: the first tenants", spread([each[0] for each in times]))
    yield Row(f"{what}: the last", spread([each[-1] for each in times]))


def wait_for_change(file: Path, text: str, workers: Collection[Line], asked: Mapping[str, str]) -> Mapping[str, float]:
    """Seconds from the edit of a file until all workers answer by another version, for each tenant."""
    waiting = {(line, tenant): version(line, key) for line in workers for tenant, key in asked.items()}
    seen: dict[str, float] = {}
    file.write_text(text)
    begun = time.perf_counter()
    while waiting:
        for (line, tenant), before in list(waiting.items()):
            if version(line, asked[tenant]) != before:
                seen[tenant] = time.perf_counter() - begun
                del waiting[line, tenant]
        if time.perf_counter() - begun > PATIENCE:
            raise SystemExit(f"the edit of {file.name} is not live after {PATIENCE:.0f} s")
        time.sleep(0.01)
    return seen


def version(line: Line, key: str) -> str:
    """The files by which a worker answers for the tenant of a key."""
    answer = line.post(question("alice", "d1"), bearer(key))
    if answer.status != 200 or not answer.version:
        raise SystemExit(f"unexpected answer {answer.status}: {answer.body[:200]!r}")
    return answer.version


def spread(times: Collection[float]) -> str:
    """The median and the largest."""
    return f"{statistics.median(times):.2f} s, at most {max(times):.2f} s"


def parse(folder: Path) -> Row:
    """A bundle of many policies, from files to what answers."""
    tenant = folder / "big"
    tenant.mkdir(parents=True)
    (tenant / "tenant.yaml").write_text("name: big\n")
    (tenant / "groups.csv").write_text(groups(10).replace("bench", "big"))
    (tenant / "own.cedar").write_text(relevant(10) + "\n" + irrelevant(MANY - 10))

    begun, used = time.perf_counter(), time.process_time()
    bundle, findings = load(ROOT / "policies", folder, "big")
    if bundle is None:
        raise SystemExit("\n".join(map(str, findings)))
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    return Row(f"load of a bundle with {MANY:,} Cedar policies", f"{seconds:.1f} s ({used:.1f} s of CPU)")
