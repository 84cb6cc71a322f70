"""The same app with about 40 MB of data in memory, as a catalogue or a model would be."""

from __future__ import annotations

from flask_wsgi import app as app

CATALOGUE = {number: f"{number:0128d}" for number in range(160_000)}


@app.get("/article/<int:number>")
def article(number: int) -> str:
    return CATALOGUE.get(number, "none")
