"""The one place that states the version of Pilotage."""

__version__ = "0.1.0"
