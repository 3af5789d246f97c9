"""The methods: one LightningModule a task, and the networks and layers they are built from. Names are imported when they are used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
