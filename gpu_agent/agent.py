"""The agent of one instance: puts the parts together, runs their loops, and ends in good order.

Stop is not cancel: a stopped agent gives its work back with a checkpoint, and the work goes on elsewhere.
"""

import shutil
import threading
import time
from collections.abc import Callable
from functools import partial

from gpu_agent.checkpoints import CheckpointStore
from gpu_agent.clients import Clients, connect
from gpu_agent.context import Context
from gpu_agent.departure import Departure
from gpu_agent.ending import Ending
from gpu_agent.first_boot import measured
from gpu_agent.fleet import FleetReport, Identity, identify
from gpu_agent.gpu_watch import watch_for
from gpu_agent.held import Hands
from gpu_agent.imds import Imds, Notice, NoticeKind
from gpu_agent.inputs import InputFetcher
from gpu_agent.interruption import InterruptionWatcher
from gpu_agent.lifecycle import complete_termination
from gpu_agent.logs import logger
from gpu_agent.loops import PASSING_ERRORS, Loop, hear_of_deaths
from gpu_agent.offering import LOOK_S, Offering
from gpu_agent.offers import Gpu, divide, estimate_slot, gpus_of, slot_name
from gpu_agent.orders import ORDERS_LAST_S, FleetOrders
from gpu_agent.outcomes import Outcomes
from gpu_agent.pricing import usd_per_hour
from gpu_agent.settings import AgentSettings
from gpu_agent.slot import Slot
from gpu_agent.source import WorkSource
from gpu_agent.watchdog import watch
from gpu_agent.weights import models_in_bucket
from jobs.fleet import FleetStore, Measured
from jobs.fleet_plan import PlanStore
from jobs.queue import JobQueues
from jobs.store import JobStore

DRAIN_LOOK_S = 0.1
WATCHDOG_S = 1.0
DEPARTURE_S = 1.0
GPU_LOOK_S = 1.0
SECONDS_PER_HOUR = 3600.0


class Agent:
    """One process per instance. `run` returns the exit status: 0 after a drain or an idle shutdown, else 1."""

    def __init__(self, settings: AgentSettings) -> None:
        self._imds = Imds(settings.imds_endpoint)
        self._identity = identify(self._imds, settings.instance_id)
        # Several agents may share a machine's disk (the local fleet does); each clears its own folder alone.
        own_scratch = settings.scratch_dir / self._identity.instance_id
        price = usd_per_hour(settings, self._identity)
        self._settings = settings = settings.model_copy(update={"scratch_dir": own_scratch, "usd_per_hour": price})
        self._clients = connect(poll_wait_s=settings.poll_wait_s)
        self._ended = threading.Event()
        self._died: str | None = None
        self._gpus = gpus_of(self._identity.kind)
        self._slot_name = slot_name(self._gpus, gpus_per_slot=settings.gpus_per_slot, cpu_threads=settings.cpu_threads)
        in_bucket = partial(models_in_bucket, settings.media_bucket)
        self._offering = Offering(self._gpus, settings.weights_dir, in_bucket)
        self._fleet = FleetStore(settings.table, client=self._clients.dynamodb)
        specs = divide(
            self._gpus,
            gpus_per_slot=settings.gpus_per_slot,
            cpu_slots=settings.cpu_slots,
            cpu_threads=settings.cpu_threads,
            weights_dir=settings.weights_dir,
            weights_bucket=settings.media_bucket,
        )
        self._measured = measured(self._fleet, self._identity.kind, self._gpus, settings.weights_dir)
        ending = Ending(workers=4 * len(specs), on_death=self._on_death)
        self._context = make_context(
            settings,
            self._clients,
            self._identity,
            lambda: self._offering.models,
            ending,
            num_slots=len(specs),
            slot_name=self._slot_name,
            figures=self._measured,
        )
        self._slots = tuple(Slot(spec, self._context) for spec in specs)
        orders = FleetOrders(PlanStore(settings.table, client=self._clients.dynamodb))
        self._watcher = InterruptionWatcher(self._imds, self._context, orders)
        self._report = FleetReport(
            self._fleet, self._identity, self._context, self._slots, accelerators=_names(self._gpus)
        )

    def run(self) -> int:
        """Work until told to go, idle for too long, or dead."""
        logger.info(
            "agent starts",
            extra={"instance_id": self._identity.instance_id, "models": sorted(self._offering.models)},
        )
        if not self._offering.models:
            logger.critical("this machine can run no model", extra={"weights_dir": str(self._settings.weights_dir)})
            return 1
        # Whatever lies here is a dead agent's: its jobs go on from S3.
        shutil.rmtree(self._settings.scratch_dir, ignore_errors=True)
        self._settings.scratch_dir.mkdir(parents=True)
        hear_of_deaths(self._on_death)
        loops = self._loops()
        for loop in loops:
            loop.start()
        try:
            while not self._ended.wait(DRAIN_LOOK_S) and not self._drained():
                pass
        finally:
            self._close(loops)
        return 1 if self._died else 0

    def stop(self) -> None:
        """Drain: finish the step, checkpoint, release, exit. For a signal handler."""
        threading.Thread(target=self._watcher.act, args=(Notice(kind=NoticeKind.SIGNAL),), daemon=True).start()

    def _loops(self) -> list[Loop]:
        settings = self._settings
        departure = Departure(self._context, self._slots, self._clients.autoscaling, leave=self._ended.set)
        make = partial(Loop, on_death=self._on_death)
        loops = [
            make("interruption", self._watcher.turn, interval_s=settings.imds_poll_s),
            make("orders", self._watcher.obey, interval_s=ORDERS_LAST_S),
            make("abilities", self.report_abilities, interval_s=SECONDS_PER_HOUR),
            make("offering", self._look_again, interval_s=LOOK_S),
            make("fleet", self._report.send, interval_s=settings.fleet_report_s),
            make("watchdog", partial(watch, self._slots, hang_limit_s=settings.hang_limit_s), interval_s=WATCHDOG_S),
            make("departure", departure.turn, interval_s=DEPARTURE_S),
        ]
        if (gpus := watch_for(self._slots)) is not None:
            loops.append(make("gpus", gpus.turn, interval_s=GPU_LOOK_S))
        for slot in self._slots:
            loops.append(make(f"slot-{slot.spec.name}", slot.turn, interval_s=0.0))
            loops.append(make(f"lookout-{slot.spec.name}", slot.lookout.turn, interval_s=0.5))
        return loops

    def _look_again(self) -> None:
        self._offering.look_and_tell(self._offer_anew)

    def _offer_anew(self) -> None:
        logger.info("offers anew", extra={"models": sorted(self._offering.models)})
        self.report_abilities()

    def report_abilities(self) -> None:
        """Say what machines of this kind can run; stays known when none is there."""
        self._fleet.report_abilities(
            self._identity.kind, slot=self._slot_name, abilities=self._offering.abilities, measured=self._measured
        )

    def _drained(self) -> bool:
        board = self._context.board
        # Whose jobs have moved ends the instance, not only the agent: that is the departure's to do.
        done = self._context.hands.empty and board.reason != NoticeKind.MOVE
        return board.posted and (done or board.remaining_s() <= 0)

    def _on_death(self, name: str) -> None:
        # Work goes on elsewhere once the leases end; limping on could hold them for ever.
        self._died = name
        self._ended.set()

    def _close(self, loops: list[Loop]) -> None:
        """Bounded in time: what does not end is left to the leases."""
        for loop in loops:
            loop.stop()
        deadline_s = time.monotonic() + self._settings.close_s
        for loop in loops:
            if not loop.join(max(0.1, deadline_s - time.monotonic())):
                logger.warning("loop did not end", extra={"loop": loop.name})
        for slot in self._slots:
            slot.close()
        self._context.ending.close()
        self._context.checkpoints.close()
        try:
            self._report.farewell()
        except PASSING_ERRORS as error:
            logger.warning("not deregistered", extra={"error": repr(error)})
        self._imds.close()
        if self._settings.lifecycle_hook:
            complete_termination(
                self._clients.autoscaling,
                instance_id=self._identity.instance_id,
                hook=self._settings.lifecycle_hook,
            )
        logger.info("agent ends", extra={"died": self._died, "in_hand": self._context.hands.count()})


def make_context(
    settings: AgentSettings,
    clients: Clients,
    identity: Identity,
    models: Callable[[], frozenset[str]],
    ending: Ending,
    *,
    num_slots: int,
    slot_name: str,
    figures: Measured | None = None,
) -> Context:
    """One of each of what the parts share."""
    store = JobStore(settings.table, client=clients.dynamodb)
    queues = JobQueues(settings.queue_prefix, client=clients.sqs)
    hands = Hands()
    checkpoints = CheckpointStore(clients.s3, settings.media_bucket, bytes_per_s=settings.upload_bytes_per_s)
    source = WorkSource(
        store=store,
        queues=queues,
        policy=settings.choice_policy(),
        poll_wait_s=settings.poll_wait_s,
        lease_s=settings.lease_s,
    )
    slot = estimate_slot(slot_name, kind=identity.kind, measured=figures)
    slot_usd_per_hour = None if settings.usd_per_hour is None else settings.usd_per_hour / num_slots
    return Context(
        instance_id=identity.instance_id,
        is_spot=identity.is_spot,
        models_now=models,
        slot=slot,
        slot_name=slot_name,
        slot_usd_per_hour=slot_usd_per_hour,
        settings=settings,
        store=store,
        queues=queues,
        source=source,
        fetcher=InputFetcher(
            clients.s3,
            settings.media_bucket,
            checkpoints,
            settings.scratch_dir,
            slot=estimate_slot(slot_name, kind=identity.kind),
        ),
        checkpoints=checkpoints,
        outcomes=Outcomes(
            store=store,
            source=source,
            checkpoints=checkpoints,
            hands=hands,
            s3=clients.s3,
            bucket=settings.media_bucket,
            slot_usd_per_hour=slot_usd_per_hour,
        ),
        hands=hands,
        ending=ending,
    )


def _names(gpus: tuple[Gpu, ...]) -> tuple[str, ...]:
    return tuple(gpu.name for gpu in gpus)
