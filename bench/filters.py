"""Lists, counts and facets of a tenant with a million entities, by what policies leave of them, against SQL by hand.

Both sides run in the same session: on files with the tenant's key, on PostgreSQL as the role that owns nothing, under
row level security. First the databases alone, to which the bounds apply: the statements that were sent, sent again
through the driver; then from the filter to assets, against the statement by hand and the same assets made of its rows.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import event, text

from bench import plans, writes
from bench.assets import Desk
from bench.bulk import check, leave_out_columns, load
from bench.by_hand import ASKER, PAGE, VALUES, Dialect, Shape, make_shapes
from bench.material import make_bundle
from bench.million import FILES, Estate, Sizes
from bench.timing import Row, compare
from policy_service.access.counts import count_assets
from policy_service.access.enforce import Asker, judging
from policy_service.access.lists import list_assets
from policy_service.access.plan import Plan
from policy_service.access.query import Search
from policy_service.assets.find import count, facets, find
from policy_service.assets.inventory import Inventory
from policy_service.assets.rows import COLUMNS, read_row
from policy_service.assets.sql.pages import Place as Spot
from policy_service.config import Settings
from policy_service.model import Caller, Thing, Value
from policy_service.policy.bundle import Bundle
from policy_service.policy.residual.filter import Filter
from policy_service.policy.stored_values import decode
from policy_service.store.door import Store
from tests.stores import OWNER, RUNTIME, Cluster, Place, start_cluster

ENTITIES = int(os.environ.get("BENCH_ROWS", "1000000"))
# each comparison goes on for about as long, where one round does not take longer
SECONDS = 2.0
HAND = "SQL by hand on the same tables"
# ids are spread evenly
MIDDLE = "80000000-0000-0000-0000-000000000000"
_NAMES: Mapping[str, str] = {"sqlite": "SQLCipher files", "postgresql": "PostgreSQL"}
_EVERYTHING = Search("entity")
_OPAQUE = {"half": "10.0.0.0/9", "0.4 %": "10.7.0.0/16"}

Statements = list[tuple[str, Any]]


def rows() -> Iterator[Row]:
    """One row a figure."""
    yield from plans.rows()
    estate = Estate("acme", Sizes(ENTITIES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        places = (Place("sqlite", Settings(data=path / name)) for name in ("large", "whole", "bare"))
        yield from _measure(estate, *places)
        with start_cluster(path) as cluster:
            yield from _measure(estate, *(_make_place(cluster, path / f"pg-{number}") for number in range(3)))


def _make_place(cluster: Cluster, folder: Path) -> Place:
    """A database of its own."""
    database = cluster.make_database()
    settings = Settings(data=folder, database_url=cluster.url(RUNTIME, database), keyring=str(cluster.keyring))
    return Place("postgresql", settings, cluster.url(OWNER, database), cluster, database)


def _measure(estate: Estate, large: Place, whole: Place, bare: Place) -> Iterator[Row]:
    name = _NAMES[large.kind]
    with closing(large.open(("acme", "globex", "initech"))) as store:
        check(large, store, bundle_of("initech"), Estate("initech", Sizes(50, 5, 4, (2, 3, 10), 10, 5, 7)))
        for each in (Estate("globex", Sizes(max(ENTITIES // 50, 50))), estate):
            load(large, store, bundle_of(each.tenant), each)
            store.forget(each.tenant)
        room = Room(store, estate)
        shapes = make_shapes(estate)
        for shape in shapes:
            yield from room.compare(shape, f"{name}: {shape.name}")
        yield Row(f"{name}: the whole call for a page of {PAGE}", f"{' · '.join(map(room.time_list, shapes))} ms")
        for part, network in _OPAQUE.items():
            yield room.examine(f"{name}: opaque, true of {part}", network)
        with closing(whole.open(("acme",))) as keeps, closing(bare.open(("acme",))) as lacks:
            leave_out_columns(bare, lacks)
            yield from writes.rows(name, keeps, lacks, store)


def bundle_of(tenant: str, policies: str = "") -> Bundle:
    """The files of a tenant, with these policies."""
    return make_bundle(
        {**FILES, "tenant.yaml": FILES["tenant.yaml"].format(tenant=tenant), "p.cedar": policies}, tenant
    )


class Clerk(Desk):
    """Asks as a person who is stored, and remembers what was recorded last."""

    def __init__(self, store: Store, estate: Estate) -> None:
        super().__init__(store)
        subject = estate.owner(ASKER)
        caller = Caller(estate.tenant, "k", frozenset({"read", "write"}), Thing(subject.type, subject.id))
        self.asker = Asker(caller, "r")
        self.last: Mapping[str, Any] = {}

    def write(self, records: list[Mapping[str, Any]]) -> None:
        """Keep the last."""
        if records:
            self.last = records[-1]


class Room:
    """One store in which shapes are measured."""

    def __init__(self, store: Store, estate: Estate) -> None:
        self.store = store
        self.estate = estate
        self.desk = Clerk(store, estate)
        self.dialect: Dialect = store.backend

    @contextmanager
    def ask(self, policies: str) -> Iterator[tuple[Inventory, Filter]]:
        """A session, and what the policies leave for the one who asks."""
        self.desk.bundles[self.estate.tenant] = bundle_of(self.estate.tenant, policies)
        with judging(self.desk.service, self.desk.asker) as judge:
            yield judge.inventory, Plan(judge, "entity").filter(_EVERYTHING)

    def compare(self, shape: Shape, name: str) -> Iterator[Row]:
        """A page, a count and a facet."""
        hand = shape.write(self.dialect)
        given = {"account": self.estate.tenant, **hand.parameters}
        page = text(hand.page).columns(*COLUMNS["entity"])
        counted, tallied = text(hand.count), text(hand.facet)
        # each in a session of its own: on PostgreSQL one is good for a minute
        with self.ask(shape.policies) as (inventory, filter_):
            session, sealing = inventory.session, inventory.sealing
            number = session.execute(counted, given).scalar_one()
            yield _compare(
                f"{name} ({number:,} rows): a page of {PAGE}",
                "≤ 2",
                inventory,
                lambda: [
                    found.asset for found in find(inventory, "entity", filter_, after=Spot(None, MIDDLE), limit=PAGE)
                ],
                lambda: [read_row("entity", row, sealing) for row in session.execute(page, {**given, "after": MIDDLE})],
            )
        with self.ask(shape.policies) as (inventory, filter_):
            session = inventory.session
            yield _compare(
                f"{name}: count",
                "≤ 2.2",
                inventory,
                lambda: count(inventory, "entity", filter_),
                lambda: session.execute(counted, given).scalar_one(),
            )
        with self.ask(shape.policies) as (inventory, filter_):
            session = inventory.session
            yield _compare(
                f"{name}: the {VALUES} commonest of `{shape.facet}`",
                "≤ 2.2",
                inventory,
                lambda: facets(inventory, "entity", filter_, shape.facet, VALUES),
                lambda: [(_read(shape, value), tally) for value, tally in session.execute(tallied, given)],
            )

    def time_list(self, shape: Shape) -> str:
        """The name of a shape and the milliseconds of a second page, from the question to what is shown."""
        self.desk.bundles[self.estate.tenant] = bundle_of(self.estate.tenant, shape.policies)
        begun = self._list()
        return f"{shape.name} {_ms(lambda: self._list(begun.cursor or ''))}"

    def _list(self, cursor: str = "") -> Any:
        return list_assets(self.desk.service, self.desk.asker, _EVERYTHING, {}, limit=PAGE, cursor=cursor)

    def examine(self, name: str, network: str) -> Row:
        """A page by an opaque policy, and a count."""
        policies = (
            "permit(principal, action, resource) when "
            f'{{ resource has address && ip(resource.address).isInRange(ip("{network}")) }};'
        )
        self.desk.bundles[self.estate.tenant] = bundle_of(self.estate.tenant, policies)
        listed = _ms(self._list)
        examined, shown = (self.desk.last["rows"][word] for word in ("examined", "shown"))
        asked = self.desk.service, self.desk.asker, _EVERYTHING, {}
        counting = _ms(lambda: count_assets(*asked))
        counted = count_assets(*asked)
        least = "at least " if counted.at_least else ""
        return Row(
            name,
            f"a page: {examined:,} rows examined, {shown} shown, {listed} ms; "
            f"a count: {least}{counted.number}, {counting} ms",
        )


def _read(shape: Shape, value: str) -> Value:
    """A value of the facet: that of a row of elements is JSON."""
    return value if shape.facet == "type" else decode(orjson.loads(value))


def _compare(
    name: str, bound: str, inventory: Inventory, ours: Callable[[], object], theirs: Callable[[], object]
) -> Row:
    """What both answer is the same; how long each takes, and how long the database alone."""
    with _recorded(inventory) as sent:
        told = ours()
    with _recorded(inventory) as by_hand:
        assert told == theirs(), name
    ratio, one, other = _time(ours, theirs)
    bare, bare_one, bare_other = _time(lambda: _send(inventory, sent), lambda: _send(inventory, by_hand))
    return Row(
        name,
        f"{bare:.2f}× ({bare_one:.2f} / {bare_other:.2f} ms), with what Python does {ratio:.2f}× "
        f"({one:.2f} / {other:.2f} ms)",
        HAND,
        bound,
    )


def _time(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float, float]:
    """The ratio, and the milliseconds of each."""
    start = time.perf_counter()
    ours()
    theirs()
    both = time.perf_counter() - start
    times = max(1, min(50, int(0.05 / both)))
    rounds = max(3, min(15, int(SECONDS / (both * times))))
    ratio, one, other = compare(ours, theirs, times, rounds, clock=time.perf_counter_ns)
    return ratio, one / 1000, other / 1000


@contextmanager
def _recorded(inventory: Inventory) -> Iterator[Statements]:
    """What is sent to the database meanwhile."""
    sent: Statements = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    connection = inventory.session.connection()
    event.listen(connection, "before_cursor_execute", keep)
    try:
        yield sent
    finally:
        event.remove(connection, "before_cursor_execute", keep)


def _send(inventory: Inventory, statements: Statements) -> None:
    connection: Any = inventory.session.connection().connection
    for statement, parameters in statements:
        cursor = connection.cursor()
        cursor.execute(statement, parameters)
        cursor.fetchall()


def _ms(function: Callable[[], object], rounds: int = 7) -> str:
    """Milliseconds of one call."""
    function()
    samples = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        samples.append((time.perf_counter() - start) * 1000)
    return f"{statistics.median(samples):.1f}"
