"""Wei et al. 2017, "Learning Adaptive Receptive Fields for Deep Image Parsing Network": one module per table."""

from reproduce.papers.adaptive_rf import cost, figure2, figure3, gradient, table1, table2, table3, table4

TABLES = tuple(module.TABLE for module in (table1, table2, table3, table4, figure2, figure3, gradient, cost))
