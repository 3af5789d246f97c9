"""The mirror of a run in wandb, and the dashboard of a table. The underscore tells the room from the package `wandb`."""
