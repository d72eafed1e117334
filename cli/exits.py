"""How a command ends: an exit code for each kind of ending (docs/cli.md), and one line that says why."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    FAILED = 1  # a video failed or was cancelled, or a check of `doctor` failed
    USAGE = 2  # the command line, or a file named on it, is wrong
    NOT_FOUND = 3
    AUTH = 4  # no key, a wrong key, or one that may not do this
    REFUSED = 5  # the request is invalid, or this fleet cannot run it
    LIMITED = 6  # too many requests, or a budget is spent
    UNREACHABLE = 7  # no answer, or an answer that is the server's fault
    STILL_RUNNING = 8  # --timeout passed; the video goes on
    INTERRUPTED = 130  # Ctrl-C, as shells have it


class CliError(Exception):
    """Ends the command. `hint` is the next step; `param` and `code` are the API's, if it refused."""

    def __init__(
        self,
        message: str,
        exit_code: Exit,
        *,
        hint: str | None = None,
        param: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.hint = hint
        self.param = param
        self.code = code
        self.request_id = request_id

    @property
    def line(self) -> str:
        """What went wrong and what to do, on one line."""
        said = " ".join(self.message.split())
        return said if self.hint is None else f"{said.rstrip('.')}. Next: {self.hint}"


def usage(message: str, *, hint: str | None = None) -> CliError:
    """The caller's own mistake, found before anything was sent."""
    return CliError(message, Exit.USAGE, hint=hint)
