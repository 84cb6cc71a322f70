"""The sample app: a page about the host that serves it, its static files, and two JSON answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Flask

from app.log import log_with_request_ids
from app.views_xxx import view_x
from app.views_yyy import view_y
from configs import config


def create_app(settings: Mapping[str, Any] | None = None) -> Flask:
    """Make the app; `settings` go over those of the environment, so that a test needs none."""
    # The static files are view_x's: they lie at the root of the site (/xxx.gif), not under Flask's /static/.
    app = Flask(__name__, static_folder=None, template_folder=config.TEMPLATES_DIR)
    app.config.from_mapping(config.from_environment(), STARTED=datetime.now(UTC))
    app.config.from_mapping(settings)
    log_with_request_ids(app)
    app.register_blueprint(view_x)
    app.register_blueprint(view_y)
    return app
