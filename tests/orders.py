"""How the tests of random orders of events are run."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings


def random_orders(count: int) -> settings:
    """So many orders, of 25 events each."""
    return settings(
        max_examples=count,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        # Shrinking takes minutes, and the steps say enough.
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
    )
