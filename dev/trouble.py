"""What goes wrong outside of this repository's power."""


class Trouble(Exception):
    """One sentence for the person at the terminal: what failed, and what to do. Never shown with a traceback."""
