"""Two profiles: the quick one of every run, and the one of ``PERFECTWS_PROPERTIES=deep``, which takes minutes."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("deep", settings.get_profile("quick"), max_examples=5_000)
settings.load_profile(os.environ.get("PERFECTWS_PROPERTIES", "quick"))
