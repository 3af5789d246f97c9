"""Pintea et al. 2021, "Resolution learning in deep convolutional networks using scale-space theory": one module per table."""

from reproduce.papers.njet import figure5, figure6, figure12, map_sizes, sigmas, speed, table1, table2, table3, table4, table5

TABLES = (
    *(module.TABLE for module in (table1, table2, table3, table4, table5, figure5, figure6)),
    *(map_sizes.FIGURE_7, map_sizes.FIGURE_8, figure12.TABLE, sigmas.TABLE, speed.TABLE),
)
