"""The check of a release on its host: imports the app as the app server will, and looks whether it is one."""

from __future__ import annotations

from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.entry import Entry

# Python's own words for what goes wrong in the app's code are the best there are, so only what imports well and is no
# app is told in ours. `app` is how it was written, `wsgi` the file that names it.
SCRIPT = """\
import inspect, runpy, sys
app = runpy.run_path({wsgi!r})["application"]
said = {said!r}
if inspect.iscoroutinefunction(app):
    sys.exit(f"CallableError: {{said}} is an async function, and uWSGI speaks WSGI; name a Flask object")
if not callable(app):
    sys.exit(f"CallableError: {{said}} is of the type {{type(app).__name__}}, which answers no requests")
if inspect.isroutine(app):
    try:
        inspect.signature(app).bind({{}}, None)
        named = [one for one in inspect.signature(app).parameters.values() if one.kind < 2]
        fits = not named or any(one.default is one.empty for one in named)
    except ValueError:
        fits = True
    except TypeError:
        fits = False
    if not fits:
        sys.exit(f"CallableError: {{said}} is a function, not an app; write {{said}}() if it returns one")
"""


def import_check(release: ReleaseLayout, wanted: Entry) -> str:
    """Shell lines, run in the folder where the app runs, that fail if it can't be imported or isn't a WSGI app."""
    script = SCRIPT.format(wsgi=str(release.wsgi), said=wanted.text)
    return f"exec {release.virtualenv}/bin/python - <<'END'\n{script}END"
