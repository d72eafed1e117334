"""Carries out one fault. Answers whether there was anything to do it to: a fault that meets nothing proves nothing."""

import random
import resource
import threading
import time
from collections.abc import Callable

from jobs import s3_keys
from jobs.job import Job
from jobs.states import State, is_terminal
from tests.chaos.machines import SPOT, Fleet, Machine
from tests.chaos.plan import Fault, Kind
from tests.chaos.world.proxy import LATEST_S, wait_until

LEASE_S = 10.0  # of tests.chaos.world.agents
NOTICE_S = 60.0
SMALL_FILE_BYTES = 4096
MIDDLE_WAIT_S = 120.0  # two busy cores start an agent and load its model meanwhile
AMID_LOOK_S = 0.1
TEND_S = 2.0
FREE_AGENTS = 2
TAKEOVERS = (Kind.PAUSE, Kind.LATE_COMPLETION)
CRASHES_ALLOWED = 1  # one less than would end a job: a killed worker counts as a crash


class Injector:
    """Draws what the plan leaves open (which job, which call) from the plan's seed."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._rng = random.Random(seed)
        self._takeovers: list[threading.Event] = []  # each set once another agent has taken the fault's job over

    def inject(self, fault: Fault) -> bool:
        machine = self._fleet.machines[fault.agent]
        actions = {
            Kind.KILL_MACHINE: self._kill_machine,
            Kind.KILL_WORKER: self._kill_worker,
            Kind.SPOT_NOTICE: self._notice,
            Kind.PAUSE: self._pause,
            Kind.DUPLICATE: self._duplicate,
            Kind.EARLY_VISIBILITY: self._early,
            Kind.FAILING_CALLS: self._fail,
            Kind.HANGING_CALLS: self._hang,
            Kind.FULL_DISK: self._fill_disk,
            Kind.CORRUPT_CHECKPOINT: self._corrupt,
            Kind.LATE_COMPLETION: self._late,
        }
        if fault.kind in TAKEOVERS:
            self._wait_for_free_agents()
        return actions[fault.kind](machine)

    def _wait_for_free_agents(self) -> None:
        """Until two are free, one to strike and one to take over: agents that wait for each other wait in vain."""
        limit_s = time.monotonic() + LATEST_S
        while len(self._fleet.machines) - self._num_waiting() < FREE_AGENTS and time.monotonic() < limit_s:
            self._fleet.tend()
            time.sleep(TEND_S)

    def _num_waiting(self) -> int:
        return sum(not over.is_set() for over in self._takeovers)

    def _amid(
        self, planned: Machine, *, also: Callable[[Machine, Job], bool] = lambda machine, job: True
    ) -> tuple[Machine, Job] | None:
        """A machine in the middle of denoising a job, where a fault shows what resuming is worth: the planned one, or
        whichever gets there first. None where none does."""
        store = self._fleet.aws.store()
        tended_s, limit_s = time.monotonic(), time.monotonic() + MIDDLE_WAIT_S
        while time.monotonic() < limit_s:
            amid = {
                job.attempts[-1].instance_id: job
                for job in store.in_state(State.IN_PROGRESS)
                if job.checkpoint_step > 0 and job.step < job.total_steps and job.phase == "denoise"
            }
            for machine in (planned, *self._fleet.machines):
                job = amid.get(machine.agent.instance_id)
                at_work = machine.agent.process.poll() is None and not machine.agent.paused
                # One that is to complete late must come to complete.
                is_free = at_work and not machine.relay.awaits_completion
                if job is not None and is_free and also(machine, job):
                    return machine, job
            time.sleep(AMID_LOOK_S)
            if time.monotonic() - tended_s < TEND_S:
                continue
            tended_s = time.monotonic()
            if not self._fleet.tend():
                return None
        return None

    def _kill_machine(self, planned: Machine) -> bool:
        if (found := self._amid(planned)) is None:
            return False
        found[0].agent.kill_machine()
        return True

    def _kill_worker(self, planned: Machine) -> bool:
        found = self._amid(planned, also=lambda _, job: job.crashes < CRASHES_ALLOWED)
        workers = found[0].agent.workers() if found else []
        for worker in workers:
            worker.kill()
        return bool(workers)

    def _notice(self, planned: Machine) -> bool:
        found = self._amid(planned, also=lambda machine, _: machine.market == SPOT)
        if found is None:
            return False
        found[0].imds.give_spot_notice(in_s=NOTICE_S)
        return True

    def _pause(self, planned: Machine) -> bool:
        """Until another attempt has the job, so that the sleeper wakes up beside it."""
        if (found := self._amid(planned)) is None:
            return False
        machine, job = found
        agent = machine.agent
        agent.pause()
        over = threading.Event()
        self._takeovers.append(over)

        def wake_later() -> None:
            wait_until(lambda: self._moved_on(job.id, job.attempt), limit_s=LATEST_S)
            agent.wake()
            over.set()

        threading.Thread(target=wake_later, daemon=True).start()
        return True

    def _moved_on(self, job_id: str, attempt: int) -> bool:
        job = self._fleet.aws.store().get(job_id)
        return job.attempt > attempt or is_terminal(job.status)

    def _duplicate(self, machine: Machine) -> bool:
        store = self._fleet.aws.store()
        jobs = [*store.in_state(State.QUEUED), *store.in_state(State.IN_PROGRESS), *store.in_state(State.COMPLETED)]
        self._fleet.aws.queues().send(self._rng.choice(jobs))
        return True

    def _early(self, machine: Machine) -> bool:
        machine.relay.drop_extensions(for_s=3 * LEASE_S)
        return True

    def _fail(self, machine: Machine) -> bool:
        rng = random.Random(self._rng.random())
        machine.relay.fail_calls(for_s=5.0, draw=lambda: rng.random() < 0.5)
        return True

    def _hang(self, machine: Machine) -> bool:
        machine.relay.hang_calls(for_s=4.0)
        return True

    def _fill_disk(self, machine: Machine) -> bool:
        """Files of the workers end at 4 KiB, as on a full disk (only the error's number differs), for 4 seconds."""
        workers = machine.agent.workers()
        before = [(worker, worker.rlimit(resource.RLIMIT_FSIZE)) for worker in workers]
        for worker, (_, hard) in before:
            worker.rlimit(resource.RLIMIT_FSIZE, (SMALL_FILE_BYTES, hard))

        def restore() -> None:
            for worker, limits in before:
                if worker.is_running():
                    worker.rlimit(resource.RLIMIT_FSIZE, limits)

        threading.Timer(4.0, restore).start()
        return bool(workers)

    def _corrupt(self, planned: Machine) -> bool:
        """One bit of the checkpoint that the next attempt will go on from, for its machine is killed first."""
        if (found := self._amid(planned)) is None:
            return False
        machine, job = found
        machine.agent.kill_machine()
        left = self._fleet.aws.store().get(job.id)
        if is_terminal(left.status) or not left.checkpoint_step:
            return False
        s3, bucket = self._fleet.aws.client("s3"), self._fleet.aws.bucket
        key = s3_keys.checkpoint(job.id, left.checkpoint_step)
        body = bytearray(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        body[self._rng.randrange(len(body))] ^= 1 << self._rng.randrange(8)
        s3.put_object(Bucket=bucket, Key=key, Body=bytes(body))
        return True

    def _late(self, planned: Machine) -> bool:
        """Of one who has a job to complete. Whether its completion came late indeed, the relay counts."""
        if (found := self._amid(planned)) is None:
            return False
        machine, _ = found
        store = self._fleet.aws.store()
        held: dict[str, int] = {}  # the attempt that the held write is of: the first one seen

        def taken_over(job_id: str) -> bool:
            return self._moved_on(job_id, held.setdefault(job_id, store.get(job_id).attempt))

        over = machine.relay.delay_next_completion(
            taken_over=taken_over, ended=lambda job_id: is_terminal(store.get(job_id).status)
        )
        self._takeovers.append(over)
        return True
