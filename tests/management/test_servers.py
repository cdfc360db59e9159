"""Are the servers that the tests stand on real, and their own?"""

import psycopg
import redis
from django.db import connection


def test_valkey_answers_on_its_own_socket(valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        assert client.set("a", "1") and client.get("a") == b"1"


def test_postgres_answers(postgres: str) -> None:
    with psycopg.connect(postgres) as session:
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_the_test_database_is_migrated(db: None) -> None:
    assert "django_migrations" in connection.introspection.table_names()
