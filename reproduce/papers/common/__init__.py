"""Code that papers share: trainings of each profile, data, start weights, cells and deviations."""
