"""Orders: a page that takes them, a worker that packs them, and a timer that finds those that got lost."""

import os

import redis
from flask import Flask, current_app, request
from flask_migrate import Migrate
from sqlalchemy import func, select

from models import Order, db
from work import QUEUE, commands, queue


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    # A connection that the database has closed, as a restart does, is noticed before it is used.
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": True}
    db.init_app(app)
    Migrate(app, db)
    app.register_blueprint(commands)

    @app.get("/health")
    def health() -> str:
        # Asks for every column that this code knows: a release whose migration wasn't run is refused.
        db.session.execute(select(Order).limit(1))
        return "ok"

    @app.get("/")
    def summary() -> dict[str, int]:
        taken, packed = db.session.execute(select(func.count(), func.count(Order.packed_at)).select_from(Order)).one()
        return {"taken": taken, "packed": packed}

    @app.post("/")
    def take() -> tuple[dict[str, int], int]:
        order = Order(item=request.form["item"])
        db.session.add(order)
        # First the database, which keeps it; then the queue, which only makes it fast.
        db.session.commit()
        try:
            queue().rpush(QUEUE, order.id)
        except redis.RedisError:
            current_app.logger.warning("order %s waits for the timer: no queue", order.id)
        return {"order": order.id}, 201

    return app


app = create_app()
