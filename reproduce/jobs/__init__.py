"""What a job is, and where its run is kept: identity, files, archives, published weights, provenance."""
