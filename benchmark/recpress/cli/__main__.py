"""``python -m recpress.cli`` is the same as ``recpress``."""

from recpress.cli import main

if __name__ == "__main__":
    main()
