"""What the app logs, each line with the id by which nginx's access log knows the request."""

import logging
from typing import TextIO, cast

from flask import Flask, has_request_context, request
from flask.logging import wsgi_errors_stream


class RequestId(logging.Filter):
    """Gives every line the field `request_id`; nginx lets no visitor choose it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request.headers.get("X-Request-ID", "-") if has_request_context() else "-"
        return True


def log_with_request_ids(app: Flask) -> None:
    """Let the app's own logger write to where uWSGI sends everything: the journal."""
    handler = logging.StreamHandler(cast(TextIO, wsgi_errors_stream))
    handler.addFilter(RequestId())
    handler.setFormatter(logging.Formatter("%(levelname)s %(request_id)s %(message)s"))
    # The logger is the process's, not this app's alone.
    app.logger.handlers[:] = [handler]
