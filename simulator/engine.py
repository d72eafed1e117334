"""One fleet under one policy, event by event (SimPy)."""

import math
from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import simpy

from jobs.planner import Backlog, GroupState, Member, Memory, Situation
from jobs.waiting import ON_DEMAND_AFTER_LOSSES
from simulator.arrivals import Arrivals
from simulator.fleet import Instance, Meter, Slot
from simulator.market import pools
from simulator.policies import Policy
from simulator.queue import Kind, WaitingVideos
from simulator.scenario import Scenario
from simulator.work import videos

TICK_S = 60.0  # the schedule's period
SUBMIT_PLAN_S = 10.0  # a submit asks the planner, too; more often than this changes nothing
NOTICE_S = 120.0  # docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
NOTICE_MARGIN_S = 8.0  # gpu_agent.settings: notice_margin_s


class Simulation:
    """Runs every arrival to its end. `finished_s` has each video's end, `meter` what it took."""

    def __init__(self, scenario: Scenario, policy: Policy, arrivals: Arrivals) -> None:
        fleet = scenario.fleet
        self._fleet, self._policy, self._arrivals = fleet, policy, arrivals
        self._videos = videos(arrivals.models, fleet)
        self._size = policy.sizer(fleet)
        self._pools = pools(scenario.market, scenario.seed)
        self._env = simpy.Environment()
        self._waiting = WaitingVideos(arrivals.models, policy.choice(fleet))
        self._model: list[int] = arrivals.model.tolist()
        self._priority: list[int] = arrivals.priority.tolist()
        self._factor: list[float] = np.exp(
            arrivals.deviation * fleet.estimate_error - fleet.estimate_error**2 / 2
        ).tolist()
        self._done: list[float] = [0.0] * len(self._model)
        self._losses = [0] * len(self._model)
        self._left = len(self._model)
        self._instances: list[Instance] = []
        self._idle: dict[Slot, None] = {}
        self._memory = Memory()
        self._asked_spot = 0
        self._spot_serves = False
        self._planned_s = -math.inf
        self.meter = Meter()
        self.finished_s = np.full(len(self._model), np.nan)

    def run(self) -> "Simulation":
        """To the end of the last video and of the last instance."""
        self._env.process(self._arrive())
        self._env.process(self._tick())
        self._env.run()
        return self

    def _arrive(self) -> Generator[simpy.Event, Any, Any]:
        times = self._arrivals.time_s.tolist()
        for job, time_s in enumerate(times):
            if time_s > self._env.now:
                yield self._env.timeout(time_s - self._env.now)
            self._wait(job)
            self._offer()
            if self._waiting.count and self._env.now - self._planned_s >= SUBMIT_PLAN_S:
                self._plan()

    def _tick(self) -> Generator[simpy.Event, Any, Any]:
        while self._left or self._instances:
            self._plan()
            self._offer()
            yield self._env.timeout(TICK_S)

    # Jobs

    def _wait(self, job: int) -> None:
        kind = Kind(self._model[job], self._priority[job], self._losses[job] >= ON_DEMAND_AFTER_LOSSES)
        work_s, now_s = self._predicted_s(job), self._env.now
        self._waiting.put(job, kind, work_s, self._videos[kind.model].load_s, now_s)

    def _predicted_s(self, job: int) -> float:
        return self._videos[self._model[job]].compute_s * (1.0 - self._done[job])

    def _offer(self) -> None:
        """Idle slots look for work, the one that has idled longest first."""
        for slot in list(self._idle):
            if not self._waiting.count:
                return
            if self._fill(slot):
                del self._idle[slot]

    def _fill(self, slot: Slot) -> bool:
        now_s = self._env.now
        is_spot = slot.instance.is_spot
        leaves = not is_spot and self._spot_serves
        kept_s = slot.instance.kept_s(now_s) if leaves else 0.0
        found = self._waiting.take(slot.loaded, is_spot=is_spot, leaves_to_spot=leaves, kept_s=kept_s, now_s=now_s)
        if found is None:
            return False
        job, kind = found
        predicted_s = self._predicted_s(job)
        self._waiting.took(kind, predicted_s)
        load_s = 0.0 if slot.loaded == kind.model else self._videos[kind.model].load_s
        slot.job, slot.loaded, slot.turn = job, kind.model, slot.turn + 1
        slot.began_s, slot.works_from_s = now_s, now_s + load_s
        slot.ends_s = slot.works_from_s + predicted_s * self._factor[job]
        slot.instance.busy += 1
        self._after(slot.ends_s - now_s, self._finish, slot, slot.turn)
        return True

    def _finish(self, slot: Slot, turn: int) -> None:
        if slot.turn != turn:
            return
        job = slot.job
        self.finished_s[job] = self._env.now
        self._left -= 1
        self.meter.load_s += slot.works_from_s - slot.began_s
        self.meter.compute_s += slot.ends_s - slot.works_from_s
        self._free(slot)

    def _free(self, slot: Slot) -> None:
        slot.job = -1
        instance = slot.instance
        instance.busy -= 1
        if instance.is_leaving:
            self._end_if_retired(instance)
            return
        if self._fill(slot):
            return
        self._idle[slot] = None
        if not instance.busy:
            self._idles(instance)

    def _interrupt(self, slot: Slot, *, has_notice: bool, is_move: bool = False) -> None:
        """The job waits again; what was computed since the last checkpoint is lost, or all of it."""
        job, now_s = slot.job, self._env.now
        video = self._videos[slot.loaded]
        self.meter.load_s += min(now_s, slot.works_from_s) - slot.began_s
        worked_s = max(0.0, now_s - slot.works_from_s)
        whole_s = video.compute_s * self._factor[job]
        step_s = whole_s / video.steps
        unit_s = step_s if has_notice else max(step_s, self._fleet.checkpoint_interval_s)
        # Whole units; one that ends at this very moment has ended, whatever the last bit of a float says.
        kept_s = min(worked_s, math.floor(worked_s / unit_s + 1e-6) * unit_s) if self._policy.resumes else 0.0
        self._done[job] = min(1.0, self._done[job] + kept_s / whole_s)
        self._losses[job] += not is_move
        self.meter.compute_s += kept_s
        self.meter.lost_s += worked_s - kept_s
        self.meter.jobs_interrupted += not is_move
        self.meter.jobs_moved += is_move
        slot.job, slot.turn = -1, slot.turn + 1
        slot.instance.busy -= 1
        self._wait(job)

    # Instances

    def _plan(self) -> None:
        now_s = self._env.now
        self._planned_s = now_s
        wanted = self._size(self._situation())
        self._memory, self._asked_spot = wanted.memory, wanted.spot
        self._spot_serves = wanted.memory.spot_serves(now_s)
        spot, on_demand = self._count(is_spot=True), self._count(is_spot=False)
        for _ in range(wanted.on_demand - on_demand):
            self._launch(Instance(is_spot=False, launched_s=now_s, usd_per_hour=self._fleet.on_demand_usd or 0.0))
        for _ in range(wanted.spot - spot):
            if not self._launch_spot():
                break
        for instance in [one for one in self._instances if str(one.number) == wanted.retire]:
            self._retire(instance)

    def _retire(self, instance: Instance) -> None:
        """Its jobs go on elsewhere after the step under way, as the agent does it: with the next checkpoint."""
        instance.is_leaving = instance.is_retired = True
        now_s = self._env.now
        for slot in instance.slots:
            self._idle.pop(slot, None)
            if slot.job >= 0:
                video = self._videos[slot.loaded]
                step_s, worked_s = video.compute_s * self._factor[slot.job] / video.steps, now_s - slot.works_from_s
                rest_s = 0.0 if worked_s < 0 else step_s - worked_s % step_s
                self._after(rest_s, self._hand_over, slot, slot.turn)

    def _hand_over(self, slot: Slot, turn: int) -> None:
        if slot.turn != turn or slot.instance.is_gone or slot.job < 0:
            return
        self._interrupt(slot, has_notice=True, is_move=True)
        self._end_if_retired(slot.instance)
        self._offer()

    def _end_if_retired(self, instance: Instance) -> None:
        if instance.is_retired and not instance.busy and not instance.is_gone:
            self._end(instance)

    def _situation(self) -> Situation:
        backlog = tuple([entry for kind in self._waiting.lines for entry in self._entries(kind)])
        spot, on_demand = self._state(is_spot=True), self._state(is_spot=False)
        return Situation(now_s=self._env.now, backlog=backlog, spot=spot, on_demand=on_demand, memory=self._memory)

    def _entries(self, kind: Kind) -> list[Backlog]:
        """One of each line; two where Spot may run some of the videos that are marked for on-demand."""
        booted_s = self._env.now + self._fleet.boot_s
        late, late_s = self._waiting.late(kind, booted_s) if kind.on_demand_only else (0, 0.0)
        others = len(self._waiting.lines[kind]) - late
        entry = Backlog(
            model=self._arrivals.models[kind.model],
            priority=kind.priority,
            on_demand_only=kind.on_demand_only,
            jobs=others,
            work_s=max(0.0, self._waiting.work_s[kind] - late_s),
            load_s=self._videos[kind.model].load_s,
        )
        both = (entry, replace(entry, jobs=late, work_s=late_s, patience_is_over=True))
        return [one for one in both if one.jobs]

    def _state(self, *, is_spot: bool) -> GroupState:
        ours = [one for one in self._instances if one.is_spot == is_spot]
        mine = [one for one in ours if not one.is_leaving]
        now_s, names = self._env.now, self._arrivals.models
        slots = [slot for one in mine for slot in one.slots]
        return GroupState(
            desired=max(len(mine), self._asked_spot if is_spot else 0),
            instances=len(mine),
            leaving=len(ours) - len(mine),
            busy_s=tuple([slot.ends_s - now_s for slot in slots if slot.job >= 0]),
            loaded=tuple([names[slot.loaded] for slot in slots if slot.loaded >= 0]),
            members=self._members(mine) if self._policy.moves and not self._waiting.count else (),
        )

    def _members(self, mine: list[Instance]) -> tuple[Member, ...]:
        now_s, kind = self._env.now, self._fleet.instance_type
        return tuple(
            [
                Member(
                    id=str(one.number),
                    kind=kind,
                    busy_s=tuple([slot.ends_s - now_s for slot in one.slots if slot.job >= 0]),
                    idle_slots=len(one.slots) - one.busy,
                )
                for one in mine
                if one.is_ready
            ]
        )

    def _count(self, *, is_spot: bool) -> int:
        return sum(1 for one in self._instances if one.is_spot == is_spot and not one.is_leaving)

    def _launch_spot(self) -> bool:
        now_s = self._env.now
        open_pools = [pool for pool in self._pools if pool.is_open(now_s)]
        if not open_pools:
            return False
        held = Counter(id(one.pool) for one in self._instances)
        pool = min(open_pools, key=lambda one: held[id(one)])
        place = pool.take()
        usd_per_hour = self._fleet.spot_usd or 0.0
        instance = Instance(is_spot=True, launched_s=now_s, usd_per_hour=usd_per_hour, pool=pool, place=place)
        reclaim = pool.next_reclaim(place, now_s)
        if reclaim.has_notice:
            self._after(max(0.0, reclaim.at_s - NOTICE_S - now_s), self._notice, instance)
        self._after(reclaim.at_s - now_s, self._reclaim, instance)
        self._launch(instance)
        return True

    def _launch(self, instance: Instance) -> None:
        self._instances.append(instance)
        instance.number = self.meter.launches
        self.meter.launches += 1
        self.meter.most_instances = max(self.meter.most_instances, len(self._instances))
        self._after(self._fleet.boot_s, self._ready, instance)

    def _ready(self, instance: Instance) -> None:
        if instance.is_gone or instance.is_leaving:
            return
        instance.is_ready = True
        self.meter.boot_s += self._fleet.boot_s * self._fleet.slots_per_instance
        instance.slots = [Slot(instance) for _ in range(self._fleet.slots_per_instance)]
        for slot in instance.slots:
            if not self._fill(slot):
                self._idle[slot] = None
        if not instance.busy:
            self._idles(instance)

    def _idles(self, instance: Instance) -> None:
        instance.idle_turn += 1
        self._after(self._fleet.idle_limit_s, self._leave_if_idle, instance, instance.idle_turn)

    def _leave_if_idle(self, instance: Instance, turn: int) -> None:
        if instance.idle_turn == turn and not instance.busy and not instance.is_leaving:
            self._end(instance)

    def _notice(self, instance: Instance) -> None:
        """Two minutes' notice: what ends in time is finished, the rest is handed back. A policy that cannot resume
        works on to the end, for it has nothing to save."""
        if instance.is_gone:
            return
        instance.is_leaving = True
        for slot in instance.slots:
            self._idle.pop(slot, None)
            ends_in_time = slot.ends_s - self._env.now <= NOTICE_S - NOTICE_MARGIN_S
            if slot.job >= 0 and not ends_in_time and self._policy.resumes:
                self._interrupt(slot, has_notice=True)
        self._offer()
        self._plan()

    def _reclaim(self, instance: Instance) -> None:
        if instance.is_gone:
            return
        instance.is_leaving = True
        self.meter.interruptions += 1
        for slot in instance.slots:
            if slot.job >= 0:
                self._interrupt(slot, has_notice=False)
        self._end(instance)
        self._offer()
        self._plan()

    def _end(self, instance: Instance) -> None:
        now_s = self._env.now
        instance.is_gone = instance.is_leaving = True
        self.meter.usd += instance.usd(now_s)
        self.meter.on_demand_usd += 0.0 if instance.is_spot else instance.usd(now_s)
        self.meter.rented_s += (now_s - instance.launched_s) * self._fleet.slots_per_instance
        if not instance.is_ready:
            self.meter.boot_s += (now_s - instance.launched_s) * self._fleet.slots_per_instance
        for slot in instance.slots:
            self._idle.pop(slot, None)
        self._instances.remove(instance)
        if instance.pool is not None:
            instance.pool.free.append(instance.place)

    def _after(self, delay_s: float, action: Any, *arguments: Any) -> None:
        event = self._env.timeout(max(0.0, delay_s))
        event.callbacks.append(lambda _: action(*arguments))
