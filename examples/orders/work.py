"""What is done beside the requests: `flask pack` is the worker, `flask remind` the timer's job."""

import datetime
import os
import signal
import threading
import time

import redis
from flask import Blueprint
from sqlalchemy import func, select

from models import Order, db

# Redis lets an app use names that begin with its own, and no others.
QUEUE = f"{os.environ['WEB_APP']}:to-pack"
# Seconds after which the queue is taken to have lost an order.
LOST_AFTER = int(os.environ.get("LOST_AFTER", "60"))

commands = Blueprint("commands", __name__, cli_group=None)


def queue() -> redis.Redis:
    return redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5)


@commands.cli.command()
def pack() -> None:
    """Pack what the queue names until SIGTERM comes; the order at hand is finished."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    orders = queue()
    print("waiting for orders", flush=True)
    while not stop.is_set():
        # Comes back each second, to look whether it should stop.
        got = orders.blpop([QUEUE], timeout=1)
        if got:
            pack_one(int(got[1]))


def pack_one(number: int) -> None:
    """Pack an order unless it is packed, or being packed: however often the queue names it, it is done once."""
    unpacked = select(Order).where(Order.id == number, Order.packed_at.is_(None))
    order = db.session.scalar(unpacked.with_for_update(skip_locked=True))
    if order:
        time.sleep(0.1)  # the work
        order.packed_at = func.now()
    # What happens before this line is undone if the worker dies.
    db.session.commit()
    if order:
        print(f"packed order {number}", flush=True)


@commands.cli.command()
def remind() -> None:
    """Put orders that nobody has packed into the queue again: Redis lost them, or their worker died."""
    long_ago = func.now() - datetime.timedelta(seconds=LOST_AFTER)
    lost = db.session.scalars(select(Order.id).where(Order.packed_at.is_(None), Order.taken_at < long_ago)).all()
    if lost:
        queue().rpush(QUEUE, *lost)
    print(f"reminded of {len(lost)} orders", flush=True)
