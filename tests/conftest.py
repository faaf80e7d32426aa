"""Property tests draw the same examples in every run, so that a failure is one anybody can repeat.

New examples are looked for with `pytest --hypothesis-profile explore`.
"""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", max_examples=1_000, deadline=None)
settings.load_profile("repeatable")
