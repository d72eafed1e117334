"""Carries out one fault. Answers whether there was anything to do it to."""

import random
import resource
import threading
import time

from jobs.states import State, is_terminal
from tests.chaos.machines import Fleet, Machine
from tests.chaos.plan import Fault, Kind

LEASE_S = 10.0  # of tests.chaos.world.agents
PAST_LEASE_S = LEASE_S * 1.7
NOTICE_S = 60.0
SMALL_FILE_BYTES = 4096
MIDDLE_WAIT_S = 60.0
CRASHES_ALLOWED = 1  # one less than would end a job: a killed worker counts as a crash


class Injector:
    """Draws what the plan leaves open (which job, which call) from the plan's seed."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._rng = random.Random(seed)

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
        return actions[fault.kind](machine)

    def _amid(self, planned: Machine) -> Machine:
        """A machine in the middle of a denoising, where a fault shows what resuming is worth: the planned one, or
        whichever gets there first."""
        store = self._fleet.aws.store()
        limit_s = time.monotonic() + MIDDLE_WAIT_S
        while time.monotonic() < limit_s:
            amid = {
                job.attempts[-1].instance_id
                for job in store.in_state(State.IN_PROGRESS)
                if job.checkpoint_step > 0 and job.step < job.total_steps and job.phase == "denoise"
            }
            for machine in (planned, *self._fleet.machines):
                if machine.agent.instance_id in amid and machine.agent.process.poll() is None:
                    return machine
            self._fleet.replace_ended()
            time.sleep(0.05)
        return planned

    def _kill_machine(self, machine: Machine) -> bool:
        self._amid(machine).agent.kill_machine()
        return True

    def _kill_worker(self, machine: Machine) -> bool:
        store = self._fleet.aws.store()
        mine = [
            job
            for job in store.in_state(State.IN_PROGRESS)
            if job.attempts[-1].instance_id == machine.agent.instance_id
        ]
        workers = machine.agent.workers()
        if not workers or any(job.crashes >= CRASHES_ALLOWED for job in mine):
            return False
        workers[0].kill()
        return True

    def _notice(self, machine: Machine) -> bool:
        machine = self._amid(machine)
        machine.imds.give_spot_notice(in_s=NOTICE_S)
        return True

    def _pause(self, machine: Machine) -> bool:
        agent = self._amid(machine).agent
        agent.pause()
        threading.Timer(PAST_LEASE_S, agent.wake).start()
        return True

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

    def _corrupt(self, machine: Machine) -> bool:
        s3, bucket = self._fleet.aws.client("s3"), self._fleet.aws.bucket
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="checkpoints/").get("Contents", [])
        if not listed:
            return False
        key = self._rng.choice(sorted(item["Key"] for item in listed))
        body = bytearray(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        body[self._rng.randrange(len(body))] ^= 0xFF
        s3.put_object(Bucket=bucket, Key=key, Body=bytes(body))
        machine.agent.kill_machine()  # else nobody would ever read it
        return True

    def _late(self, machine: Machine) -> bool:
        store = self._fleet.aws.store()

        def ended(job_id: str) -> bool:
            return is_terminal(store.get(job_id).status)

        machine.relay.delay_next_completion(by_s=PAST_LEASE_S, ended=ended)
        return True


def sleep_until(at_s: float) -> None:
    time.sleep(max(0.0, at_s - time.monotonic()))
