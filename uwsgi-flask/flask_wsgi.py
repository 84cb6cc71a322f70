"""The entry point: uWSGI loads `app` from here (`module = flask_wsgi`, `callable = app`).

By hand, without nginx and uWSGI: `flask --app flask_wsgi run`.
"""

from app import create_app

app = create_app()
