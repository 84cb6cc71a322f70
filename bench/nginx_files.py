"""nginx in front of the contenders: the same program with the base settings of ours, and Debian's own for the seed."""

from __future__ import annotations

import re

from bench.contenders import RETURN_200, Contender
from bench.server import PLACE

BODY = "x" * 2048
# As many may wait for nginx as with ours, where that isn't the seed's.
BACKLOG = 4096


def base(ours: str, name: str) -> str:
    """An nginx.conf with the settings of the given one, that knows only the server blocks in NAME.sites."""
    text = re.sub(r"^pid .*$", f"pid /run/bench-nginx-{name}.pid;", ours, flags=re.MULTILINE)
    # At this level it says when it hangs up on idle clients because it has too few connections.
    text = re.sub(r"^(error_log) .*?;", rf"\1 {PLACE}/log/{name}-error.log warn;", text, flags=re.MULTILINE)
    text = re.sub(r"^(\s*access_log) \S+?( \w+)?;", rf"\1 {PLACE}/log/{name}.log\2;", text, flags=re.MULTILINE)
    sites = f"include {PLACE}/nginx/{name}.sites;"
    text = re.sub(r"^(\s*)include (/etc/nginx/)?conf\.d/\*\.conf;", rf"\1{sites}", text, flags=re.MULTILINE)
    text = re.sub(r"^\s*include (/etc/nginx/)?sites-enabled/\*;\n", "", text, flags=re.MULTILINE)
    if sites not in text:
        raise ValueError("nginx.conf includes no conf.d/*.conf")
    # Relative paths count from the folder of the file that nginx is given.
    return re.sub(r"^(\s*)include ((?!/)\S+);", r"\1include /etc/nginx/\2;", text, flags=re.MULTILINE)


def site(contender: Contender) -> str:
    """The server block of a contender, as its own documentation or Debian's files would have it."""
    passed = {
        "uwsgi": f"include /etc/nginx/uwsgi_params;\n        uwsgi_pass {contender.upstream};",
        "http": f"include /etc/nginx/proxy_params;\n        proxy_pass http://{contender.upstream};",
    }[contender.speaks]
    return f"""server {{
    listen 127.0.0.1:{contender.port} backlog={BACKLOG};
    location / {{
        {passed}
    }}
}}
"""


def seed_site(contender: Contender) -> str:
    """The seed's, with its log where nginx may write, and the brace that it lacks."""
    return f"""upstream flask {{
    server {contender.upstream};
}}

server {{
    listen 127.0.0.1:{contender.port};
    client_max_body_size 1M;

    location / {{
        access_log {PLACE}/log/seed-access.log;
        uwsgi_pass flask;
        include /etc/nginx/uwsgi_params;
    }}
}}
"""


def return_site() -> str:
    """The limit: nginx answers by itself."""
    return f"""server {{
    listen 127.0.0.1:{RETURN_200} backlog={BACKLOG};
    default_type text/html;
    location / {{
        return 200 "{BODY}";
    }}
}}
"""
