"""The Python API for notebooks and scripts: what ``import recpress as rp`` offers, loaded when it is first used."""
