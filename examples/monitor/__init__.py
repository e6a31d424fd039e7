"""A page that shows a running server at work, once a second: see `monitor`, and ``python -m examples.monitor``."""
