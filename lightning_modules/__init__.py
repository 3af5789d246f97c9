"""The methods: one LightningModule a task, and the networks and layers they are built from."""
