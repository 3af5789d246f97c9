"""What happens in a job's own process. Of this package, only this room, and papers' own modules like it, import torch and Lightning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
