"""What a tracker is: something that is told of a run's settings, metrics and end."""

from typing import Any, Protocol


class Tracker(Protocol):
    """Receives what a run measures. One process of the run, on one thread, calls it in this order."""

    def start(self, run: dict[str, Any], config: dict[str, Any]) -> None:
        """Begin, or go on with a run that was resumed: `run` says where and when it runs, `config` what."""
        ...

    def log(self, step: int, metrics: dict[str, float]) -> None:
        """Record the metrics of a step; steps come in increasing order."""
        ...

    def finish(self, summary: dict[str, Any]) -> None:
        """End with the run's final figures. A run that was interrupted never comes here."""
        ...
