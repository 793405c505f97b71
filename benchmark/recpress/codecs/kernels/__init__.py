"""Kernels of packed tables: scored and ranked in the form that they are stored in (docs/explanation/kernels.md)."""
