"""RecPress: the benchmark suite and leaderboard for compressed graph recommenders."""

__version__ = "0.1.0"
