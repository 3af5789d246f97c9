from . import devices as devices
from . import engine as engine
from . import forecast as forecast
from . import local as local
from . import probe as probe
from . import progress as progress
from . import time_limit as time_limit
