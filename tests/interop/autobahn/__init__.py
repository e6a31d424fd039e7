"""The Autobahn test suite, against perfectws as a server and as a client; see ``__main__.py``."""
