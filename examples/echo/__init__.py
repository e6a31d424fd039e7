"""The echo server of Perfect's WebSocket guide: ``python -m examples.echo``, then open http://localhost:8181/."""
