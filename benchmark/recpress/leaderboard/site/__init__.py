"""The leaderboard: static pages that open from a file, built without torch."""

from recpress.leaderboard.site.build import Built, build

__all__ = ["Built", "build"]
