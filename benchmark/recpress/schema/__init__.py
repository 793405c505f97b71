"""JSON schemas of what RecPress writes, and the way from older versions to the present one."""
