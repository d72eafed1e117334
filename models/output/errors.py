"""What can go wrong between the last frame and the file."""


class OutputError(Exception):
    """The frames cannot be made into the file that was asked for."""
