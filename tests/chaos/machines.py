"""The fleet of a chaos run: agents behind their own relay and metadata service, replaced when they end."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.world.agents import AgentProcess, start_agent
from tests.chaos.world.emulator import LocalAws
from tests.chaos.world.imds import StandInImds
from tests.chaos.world.proxy import FaultyRelay


@dataclass(kw_only=True)
class Machine:
    """One place of the fleet; the instance in it changes."""

    number: int
    relay: FaultyRelay
    imds: StandInImds
    agent: AgentProcess
    paused: bool = False


@dataclass(kw_only=True)
class Fleet:
    aws: LocalAws
    directory: Path
    mutant: str | None
    machines: list[Machine] = field(default_factory=list)
    started: int = 0
    _names: "itertools.count[int]" = field(default_factory=itertools.count)

    def start(self, num_agents: int) -> None:
        for number in range(num_agents):
            imds = StandInImds()
            relay = FaultyRelay(self.aws.endpoint)
            agent = self._launch(relay, imds)
            self.machines.append(Machine(number=number, relay=relay, imds=imds, agent=agent))

    def replace_ended(self) -> None:
        """A new instance where one has ended, as the Auto Scaling group would."""
        for machine in self.machines:
            if machine.agent.process.poll() is not None:
                machine.imds.close()
                machine.imds = StandInImds()
                machine.agent = self._launch(machine.relay, machine.imds)

    def close(self) -> None:
        for machine in self.machines:
            machine.agent.close()
            machine.relay.close()
            machine.imds.close()

    def _launch(self, relay: FaultyRelay, imds: StandInImds) -> AgentProcess:
        self.started += 1
        return start_agent(
            self.aws,
            self.directory,
            f"i-{next(self._names):03d}",
            aws_endpoint=relay.endpoint,
            mutant=self.mutant,
            wait=False,
            imds_endpoint=imds.endpoint,
            isolate_after=1000,
        )
