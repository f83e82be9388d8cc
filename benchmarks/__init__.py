"""Our speed and accuracy beside named peers, both measured in one process run: `python -m benchmarks --list`.

One file a topic. A row is a function that sets a contest up and is registered by `harness.row`:

    @row("resample", peer="filterpy", bar=100, unit="us", needs=["filterpy"], note="systematic, 10 000 particles")
    def resample(quick: bool) -> Contest:
        ...
        return Contest(ours=lambda: ..., peer=lambda: ..., check=...)

Peers are imported inside the function, so that a missing one costs its own row only.
"""
