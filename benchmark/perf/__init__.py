"""asv benchmarks of RecPress itself: speed and memory (`make perf`), and races against peers (`peers/`)."""
