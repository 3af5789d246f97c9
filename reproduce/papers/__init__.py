"""This suite's own papers, each a plug-in as anybody's is: rows mapped to jobs, claims, and where we differ from the paper."""
