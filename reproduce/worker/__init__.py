"""What happens in a job's own process. Of this package, only this room, and papers' own modules like it, import torch and Lightning."""
