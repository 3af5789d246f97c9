"""Printed tables, our measurements beside them, verdicts and claims."""
