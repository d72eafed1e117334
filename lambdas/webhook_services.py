"""What webhooks need, wired from the environment on first use: for their function, and for their routes."""

import ipaddress
from functools import cache
from typing import TYPE_CHECKING

from jobs.addresses import Gate
from jobs.settings import Settings, settings
from jobs.store import JobStore

if TYPE_CHECKING:
    from jobs.webhooks.dispatch import Dispatcher, WebhookQueue
    from jobs.webhooks.store import WebhookStore

# What delivers is imported where it is made: the gate alone is needed with every request.


def store() -> "WebhookStore":
    """The endpoints and the delivery log."""
    return _store(settings())


def queue() -> "WebhookQueue":
    """The queue of deliveries."""
    return _queue(settings())


def gate() -> Gate:
    """Decides which URLs may be reached."""
    return _gate(settings())


def dispatcher() -> "Dispatcher":
    """Sends events to their receivers."""
    return _dispatcher(settings())


@cache
def _store(known: Settings) -> "WebhookStore":
    from jobs.webhooks.store import WebhookStore

    return WebhookStore(known.table)


@cache
def _queue(known: Settings) -> "WebhookQueue":
    from jobs.webhooks.dispatch import WebhookQueue

    return WebhookQueue(known.queue_prefix)


@cache
def _gate(known: Settings) -> Gate:
    return Gate(trusted=tuple(ipaddress.ip_network(network) for network in known.trusted_networks))


@cache
def _dispatcher(known: Settings) -> "Dispatcher":
    from jobs.webhooks.dispatch import Dispatcher

    return Dispatcher(
        store=_store(known),
        jobs=JobStore(known.table),
        queue=_queue(known),
        gate=_gate(known),
        bus=known.event_bus,
    )
