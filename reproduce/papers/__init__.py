"""The papers of this suite. Each is a plug-in like a user's paper: it maps rows to jobs and lists claims and deviations."""
