"""What the benchmark asks for: a page, JSON, a wait, and static files sent by Flask itself.

The static folder is made when the benchmark begins: `10k.css` and `100k.css`, so many KiB of text.
"""

from __future__ import annotations

import time

from flask import Flask, Response, render_template, send_from_directory

app = Flask(__name__)
ROWS = [{"name": f"Article {number}", "price": number * 1.25, "stock": number % 7} for number in range(31)]


@app.get("/")
def page() -> str:
    """2 KB of HTML from a template with a loop, as most pages are made."""
    return render_template("page.html", rows=ROWS)


@app.get("/json")
def numbers() -> dict[str, object]:
    return {"articles": ROWS[:4], "total": len(ROWS)}


@app.get("/wait")
def wait() -> str:
    """As if a database took 50 ms to answer."""
    time.sleep(0.05)
    return "waited"


@app.get("/sent/<path:name>")
def sent(name: str) -> Response:
    """A static file as Flask sends it, for comparison with nginx."""
    return send_from_directory("static", name)


@app.get("/health")
def health() -> str:
    return "ok"
