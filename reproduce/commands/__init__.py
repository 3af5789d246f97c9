"""The verbs of the command line, a module each with a `main(words)` that returns an exit code."""
