"""From drivers and traced models to compiled code: slots, the cache on disk, and what generated source calls."""

__all__: list[str] = []  # `pilotage.models` exports what users need of it
