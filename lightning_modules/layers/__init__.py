"""Layers: a pure function with the maths, and a thin module where there are parameters."""
