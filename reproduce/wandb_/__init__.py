"""The mirror of a run in wandb, and the dashboard of a table. The underscore tells the room from the package `wandb`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
