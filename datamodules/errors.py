"""The exception for missing or broken data."""


class DataError(ValueError):
    """Data on disk is missing or broken. The message is one sentence: what is wrong, in which file, and how to get or repair it."""
