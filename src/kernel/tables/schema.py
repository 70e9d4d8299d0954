"""What all tables share: the metadata that knows them, and the columns that many have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, MetaData, Uuid, text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

Timestamp = DateTime(timezone=True)


def id_column() -> Column[object]:
    return Column("id", Uuid, primary_key=True)


def created_at() -> Column[object]:
    return Column("created_at", Timestamp, nullable=False)


def revision() -> Column[object]:
    return Column("revision", BigInteger, nullable=False, server_default=text("1"))  # what the etag is made of
