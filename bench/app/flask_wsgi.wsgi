"""What mod_wsgi calls."""

from flask_wsgi import app as application
