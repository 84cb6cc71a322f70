"""What a run that was cut off has left of nginx's configuration, settled before anything else is done."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET_AGAIN
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.exchange import Journal
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import BASE, JOURNAL
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.service import load_again, settled_state
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import generation_in, read_tree


def settle(root: Path, system: System, ours: Ours) -> list[Path] | None:
    """Finish an exchange that was cut off if all is in place and nginx runs it, or undo it.

    Without that, a later run that is rejected would bring back what nobody has proven. None if nothing was undone, or
    the copies of what somebody had changed meanwhile. Raises Rejected and OSError.
    """
    path = root / JOURNAL
    try:
        journal = Journal.read(path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Rejected(
            f"{path} says what a run that was cut off has put below {root}, and can't be read ({error}); remove it"
        ) from error
    if journal is None:
        return None
    if not journal.is_ready or (journal.is_done() and _runs(root, ours, system)):
        journal.clear()
        return None
    system.changing(f"undo {path}")
    # The manifest knows more than it did: what was saved, and which logs were made.
    saved = journal.undo(ours.save_place, but_for=ours.manifest)
    # nginx may have loaded half of the change. The exchange is forgotten last, so a cut in between loses nothing.
    if load_again(system, settled_state(system)):
        journal.clear()
    return saved


def _runs(root: Path, ours: Ours, system: System) -> bool:
    """Whether nginx runs what is on the disk."""
    texts = read_tree(root)
    if not generation_in(texts):
        return not system.serves_ours()
    is_moved = PROBE_SOCKET_AGAIN.encode() in texts[BASE]
    return system.proves(ours.proof_names(), system.probe_socket_again if is_moved else system.probe_socket)
