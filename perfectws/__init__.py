"""perfectws: callback-style WebSockets for Python, with the API of Swift's Perfect and Vapor."""

__version__ = "0.1.0"
