"""The one exception of this package that is about data rather than about arguments."""


class DataError(ValueError):
    """Data on disk is missing or broken; the message says what, where, and how to get or mend it, in one sentence."""
