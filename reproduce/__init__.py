"""The machine: turns a published table into jobs, runs them, keeps their results and renders them."""
