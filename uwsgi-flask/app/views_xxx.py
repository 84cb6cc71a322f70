"""What a visitor sees: the home page, the static files, and the page for an error."""

from flask import Blueprint, abort, current_app, render_template, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from app.models import Home
from configs import config

view_x = Blueprint("view_x", __name__)


@view_x.route("/", defaults={"s_file": None})
@view_x.route("/<path:s_file>")
def root(s_file: str | None) -> ResponseReturnValue:
    """Answer with the home page, or with a file of the static folder (nginx answers those itself where it can)."""
    if s_file:
        response = send_from_directory(config.STATIC_DIR, s_file)
        # It follows links, wherever they lead.
        if not (config.STATIC_DIR / s_file).resolve().is_relative_to(config.STATIC_DIR):
            response.close()
            abort(404)
        return response
    return render_template("xxx.html", home=Home.of(current_app.config))


@view_x.app_errorhandler(HTTPException)
def error_page(error: HTTPException) -> ResponseReturnValue:
    """Answer with a page of ours, keeping the error's status and headers (a 405 must say what is allowed)."""
    response = error.get_response()
    response.content_type = "text/html; charset=utf-8"
    response.data = render_template("zzz.html", error=error)
    return response
