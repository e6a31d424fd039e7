"""Sessions by a cookie, as Perfect-Session has them: ``python -m examples.sessions``."""
