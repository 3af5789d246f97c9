"""Jobs and the storage of their runs: identity, files, archives, published weights, provenance."""
