"""Mirror of a run in wandb, and dashboard of tables. The underscore distinguishes this subpackage from the package `wandb`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
