"""Wei et al. 2017, "Learning Adaptive Receptive Fields for Deep Image Parsing Network": a module a table."""

from reproduce.papers.adaptive_rf import cost, figure2, figure3, gradient, table1, table2

TABLES = (table1.TABLE, table2.TABLE, figure2.TABLE, figure3.TABLE, gradient.TABLE, cost.TABLE)
