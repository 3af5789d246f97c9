"""Figures: pure functions from numbers and pictures to matplotlib's Figure, a file each, and how they look and are written."""
