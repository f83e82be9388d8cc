"""The `pilotage` command, one file a verb: `demo`, `info`, `plan`."""
