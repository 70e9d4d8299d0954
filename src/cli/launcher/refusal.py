"""Why something could not be started, as one sentence for whoever started it."""


class CannotStart(Exception):
    """Its message says what is wrong and what to do; it ends the launcher with exit code 2."""
