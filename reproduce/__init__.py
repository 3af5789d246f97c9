"""The machine: turns a published table into jobs, runs them, keeps their results and renders them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
