"""What papers have in common: trainings of each profile, data, start weights, cells and deviations."""
