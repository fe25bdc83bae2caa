"""How connections to PostgreSQL are made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from policy_service.store.door import Store
from policy_service.store.postgres import make_engine, read_url
from policy_service.store.tables import KindRow
from tests.stores import RUNTIME, Cluster


def test_a_network_that_swallows_everything_is_noticed(cluster: Cluster) -> None:
    """What is sent and not acknowledged for 10 s ends the connection, where libpq alone would wait for a quarter of
    an hour (*tried* with a link that was cut)."""
    engine = make_engine(read_url(cluster.url(RUNTIME, cluster.template), "DATABASE_URL"))
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        given = driver.info.get_parameters()
    engine.dispose()
    assert (given["connect_timeout"], given["tcp_user_timeout"], given["keepalives_idle"]) == ("5", "10000", "30")


def test_a_reader_sees_one_moment_and_a_writer_what_others_did(store: Store) -> None:
    kinds = select(KindRow.bits).where(KindRow.account_id == "acme")

    def write(bits: int) -> None:
        with store.session("acme", write=True) as session:
            session.merge(KindRow(account_id="acme", kind="entity", root="tag", name="env", bits=bits))

    write(1)
    with store.session("acme") as session:
        assert session.scalar(kinds) == 1
        write(2)
        assert session.scalar(kinds) == 1
    if store.backend == "postgresql":
        # on the same connection, which is given back
        with store.session("acme", write=True) as session:
            assert session.scalar(kinds) == 2
            with store.session("globex"):
                write(3)
            assert session.scalar(kinds) == 3
    with store.session("acme") as session:
        assert session.scalar(kinds) == (3 if store.backend == "postgresql" else 2)
