"""The fleet of a chaos run: agents behind their own relay and metadata service, replaced when they end."""

from dataclasses import dataclass, field
from pathlib import Path

from jobs.clock import now
from jobs.states import State
from jobs.transitions import lease_alive
from jobs.waiting import wants_on_demand
from tests.chaos.world.agents import AgentProcess, start_agent
from tests.chaos.world.emulator import LocalAws
from tests.chaos.world.imds import StandInImds
from tests.chaos.world.proxy import FaultyRelay

SPOT = "spot"
ON_DEMAND = "on-demand"


@dataclass(kw_only=True)
class Machine:
    """One place of the fleet; the instance in it changes. `market` as the metadata service tells it."""

    market: str
    relay: FaultyRelay
    imds: StandInImds
    agent: AgentProcess


@dataclass(kw_only=True)
class Fleet:
    """`directory` takes what the agents leave."""

    aws: LocalAws
    directory: Path
    mutant: str | None
    machines: list[Machine] = field(default_factory=list)
    started: int = 0

    def start(self, num_agents: int) -> None:
        """The Spot group's instances."""
        for _ in range(num_agents):
            self._add(SPOT)

    def tend(self) -> set[str]:
        """What the Auto Scaling groups would do: a new instance where one has ended, and one that is not Spot beside
        them once a waiting job needs it. Answers the jobs that have not ended, as the index tells."""
        self._replace_ended()
        store = self.aws.store()
        still_open = [*store.in_state(State.IN_PROGRESS), *store.in_state(State.QUEUED)]
        waiting = (job for job in still_open if not lease_alive(job, now()))
        if all(machine.market == SPOT for machine in self.machines) and any(map(wants_on_demand, waiting)):
            self._add(ON_DEMAND)
        return {job.id for job in still_open}

    def _replace_ended(self) -> None:
        for machine in self.machines:
            if machine.agent.process.poll() is not None:
                machine.imds.close()
                machine.imds = StandInImds(life_cycle=machine.market)
                machine.agent = self._launch(machine.market, machine.relay, machine.imds)

    def close(self) -> None:
        for machine in self.machines:
            machine.agent.close()
            machine.relay.close()
            machine.imds.close()

    def _add(self, market: str) -> None:
        imds = StandInImds(life_cycle=market)
        relay = FaultyRelay(self.aws.endpoint)
        agent = self._launch(market, relay, imds)
        self.machines.append(Machine(market=market, relay=relay, imds=imds, agent=agent))

    def _launch(self, market: str, relay: FaultyRelay, imds: StandInImds) -> AgentProcess:
        number, self.started = self.started, self.started + 1
        return start_agent(
            self.aws,
            self.directory,
            f"i-{market}-{number:03d}",
            aws_endpoint=relay.endpoint,
            mutant=self.mutant,
            wait=False,
            imds_endpoint=imds.endpoint,
            isolate_after=1000,
        )
