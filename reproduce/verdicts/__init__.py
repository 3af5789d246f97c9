"""What is said of a number: the printed tables, our measurements beside them, verdicts and claims."""
