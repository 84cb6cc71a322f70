"""The reader's own app: it says how it is, and has the commands that the pages run."""

import click
from flask import Flask, request
from flask.cli import AppGroup

app = Flask(__name__)
db = AppGroup("db", help="Stands for Flask-Migrate.")
app.cli.add_command(db)


@app.get("/")
def home() -> str:
    app.logger.warning("home, request %s", request.headers["X-Request-ID"])
    return "shop"


@app.get("/health")
def health() -> str:
    return "ok"


@db.command("current")
def current() -> None:
    click.echo("4f2a (head)")


@app.cli.command("count-orders")
def count_orders() -> None:
    click.echo("3 orders")
