"""What is measured, all of it from one confusion matrix."""
