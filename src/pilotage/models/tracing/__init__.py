"""From a function of scalar components to expressions, their derivatives, and source code."""

__all__: list[str] = []  # `pilotage.models` exports what users need of it
