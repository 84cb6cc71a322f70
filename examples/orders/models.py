"""What the database holds."""

import datetime

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What Alembic compares the database with."""


db = SQLAlchemy(model_class=Base)
TIME = DateTime(timezone=True)


class Order(db.Model):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]
    taken_at: Mapped[datetime.datetime] = mapped_column(TIME, server_default=func.now())
    packed_at: Mapped[datetime.datetime | None] = mapped_column(TIME)
