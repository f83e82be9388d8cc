"""Worlds with everything to learn in them: emulators, policies, and oracles of the feasible."""
