"""Each paper's rows mapped to jobs, its claims and where we differ from it."""

from reproduce.papers import adaptive_rf, njet
from reproduce.table import Table

TABLES: dict[str, Table] = {table.id: table for table in (*adaptive_rf.TABLES, *njet.TABLES)}
