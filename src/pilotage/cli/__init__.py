"""The `pilotage` command, one file for each subcommand: `demo`, `info`, `map`, `plan`, `track`, `warm`."""
