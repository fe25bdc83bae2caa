"""How connections to PostgreSQL are made."""

from __future__ import annotations

from typing import Any

from policy_service.store.postgres import make_engine, read_url
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
