"""The planner in a closed loop with the smallest fleet that has its rules: boots, works, idles, leaves."""

from dataclasses import dataclass, field, replace

from jobs.planner import Backlog, GroupState, Limits, Memory, Plan, Situation, plan

TICK_S = 60.0
IDLE_LIMIT_S = 300.0


@dataclass
class Machine:
    boots_s: float
    busy_s: list[float] = field(default_factory=list)
    idle_s: float = 0.0


@dataclass
class Loop:
    """Jobs of one model, one planner run a minute; Spot delivers at once what is asked for, up to `spot_available`."""

    limits: Limits
    job_s: float
    queued: int = 0
    now_s: float = 0.0
    spot_available: int = 1_000
    spot: list[Machine] = field(default_factory=list)
    on_demand: list[Machine] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    asked: int = 0
    month_usd: float = 0.0
    plans: list[Plan] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def tick(self, arrivals: int = 0) -> Plan:
        self.queued += arrivals
        self._work()
        made = plan(self.situation(), self.limits)
        self.memory, self.asked = made.memory, made.spot
        for machines, wanted in ((self.spot, min(made.spot, self.spot_available)), (self.on_demand, made.on_demand)):
            machines.extend(Machine(boots_s=self.limits.boot_s) for _ in range(wanted - len(machines)))
        self.plans.append(made)
        self.sizes.append(len(self.spot) + len(self.on_demand))
        self.now_s += TICK_S
        return made

    def situation(self) -> Situation:
        backlog = Backlog(model="m", jobs=self.queued, work_s=self.queued * self.job_s)
        return Situation(
            now_s=self.now_s,
            backlog=(backlog,) if self.queued else (),
            spot=replace(_state(self.spot), desired=max(self.asked, len(self.spot))),
            on_demand=_state(self.on_demand),
            month_usd=self.month_usd,
            memory=self.memory,
        )

    @property
    def usd_per_hour(self) -> float:
        own = self.limits
        return len(self.spot) * own.spot.usd_per_hour + len(self.on_demand) * own.on_demand.usd_per_hour

    def _work(self) -> None:
        self.month_usd += self.usd_per_hour * TICK_S / 3600.0
        for machines in (self.spot, self.on_demand):
            for machine in machines:
                self._work_on(machine)
            machines[:] = [one for one in machines if one.idle_s < IDLE_LIMIT_S]

    def _work_on(self, machine: Machine) -> None:
        if machine.boots_s > 0:
            machine.boots_s -= TICK_S
            return
        machine.busy_s = [left - TICK_S for left in machine.busy_s if left > TICK_S]
        while self.queued and len(machine.busy_s) < self.limits.slots_per_instance:
            self.queued -= 1
            machine.busy_s.append(self.job_s)
        machine.idle_s = 0.0 if machine.busy_s else machine.idle_s + TICK_S


def _state(machines: list[Machine]) -> GroupState:
    busy = tuple(left for machine in machines for left in machine.busy_s)
    return GroupState(desired=len(machines), instances=len(machines), busy_s=busy)
