"""What a program asks: `/info` for those who know the token, `/health` for whoever watches the app."""

import hmac
import os

from flask import Blueprint, Response, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.models import Health, Info

view_y = Blueprint("view_y", __name__)


@view_y.route("/info")
def info() -> ResponseReturnValue:
    """Answer with `Info`, or with 400 unless the query holds the right token exactly once."""
    given = request.args.getlist("token")
    if len(given) != 1 or not _is_token(given[0]):
        current_app.logger.warning("/info was asked without the right token")
        abort(400, "This needs the token, once, and the right one.")
    return jsonify(Info.of(current_app.config))


@view_y.route("/health")
def health() -> ResponseReturnValue:
    """Answer with `Health`: that there is an answer is the news."""
    return jsonify(Health.of(current_app.config))


@view_y.after_request
def never_store(response: Response) -> Response:
    """Keep these answers out of every cache: one is for those with the token, the other is old at once."""
    response.headers["Cache-Control"] = "no-store"
    return response


@view_y.errorhandler(HTTPException)
def error_json(error: HTTPException) -> ResponseReturnValue:
    """Tell a program of the error in JSON."""
    return jsonify(error=error.description), error.code or 500


def _is_token(given: str) -> bool:
    """Compare in a time that tells nothing of the token; an empty one is never right.

    As bytes, because `compare_digest` raises on text beyond ASCII; `fsencode` gives back the very bytes that the
    environment holds, whatever the locale was.
    """
    token: str = current_app.config["TOKEN_MD5"]
    return bool(token) and hmac.compare_digest(given.encode(), os.fsencode(token))
