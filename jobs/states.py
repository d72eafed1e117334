"""The states of a job and the moves between them."""

from enum import StrEnum


class State(StrEnum):
    """The `status` of a job, as the OpenAI Videos dialect spells it, plus `cancelled`."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.IN_PROGRESS, State.FAILED, State.CANCELLED}),
    # in_progress -> in_progress: another attempt takes over an expired lease.
    State.IN_PROGRESS: frozenset({State.IN_PROGRESS, State.QUEUED, State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),  # the system moves it no more; an operator may (`jobs.transitions.redrive`)
    State.CANCELLED: frozenset(),
}


def is_terminal(state: State) -> bool:
    """True once nothing but an operator can change the outcome any more."""
    return not MOVES[state]
