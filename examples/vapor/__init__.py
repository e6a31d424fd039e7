"""Vapor's WebSocket guides, ported: ``python -m examples.vapor.server``, then ``python -m examples.vapor.script``."""
