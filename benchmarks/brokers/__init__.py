"""Measures rooms that span processes by way of Redis: ``python -m benchmarks.brokers cost|faults|recovery|presence``.

Each starts a Redis of its own, and servers and clients in processes of their own; all of them end with it.
"""
