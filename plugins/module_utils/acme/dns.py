"""Certbot's plugins for the DNS that differ from all others, as Debian has them."""

from __future__ import annotations

# Waits until a change is there, knows no option, and finds its keys itself.
WITHOUT_OPTIONS = ("route53",)
# Read no file of credentials, and why not.
WITHOUT_CREDENTIALS = {
    "route53": "it takes its keys from the server's IAM role or /root/.aws/credentials",
    "standalone": "it answers for the DNS itself",
}
# On Google's own machines it needs none.
MAY_HAVE_CREDENTIALS = ("google",)
