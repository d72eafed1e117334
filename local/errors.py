"""What can keep the local system from starting, told in words that say what to do."""


class LocalSystemError(Exception):
    """Shown to the person at the terminal as it is, without a traceback."""


class PortTaken(LocalSystemError):
    pass


class AlreadyRunning(LocalSystemError):
    pass


class MissingTool(LocalSystemError):
    pass


class StepFailed(LocalSystemError):
    pass
