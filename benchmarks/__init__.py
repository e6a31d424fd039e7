"""Measures perfectws and its peers: ``python -m benchmarks --help``."""
