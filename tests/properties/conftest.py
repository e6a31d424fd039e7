"""Two profiles: the quick one of every run, and the one of ``PERFECTWS_PROPERTIES=deep``, which takes minutes."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("quick", settings.get_profile("patient"), max_examples=200)
settings.register_profile("deep", settings.get_profile("quick"), max_examples=5_000)
settings.load_profile(os.environ.get("PERFECTWS_PROPERTIES", "quick"))
