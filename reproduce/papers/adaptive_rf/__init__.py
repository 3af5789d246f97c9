"""Wei et al. 2017, "Learning Adaptive Receptive Fields for Deep Image Parsing Network": a module a table."""

from reproduce.papers.adaptive_rf import table1, table3, table4

TABLES = (table1.TABLE, table3.TABLE, table4.TABLE)
