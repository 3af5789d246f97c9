"""Verbs of the command line, one module per verb, with a `main(words)` that returns an exit code."""
