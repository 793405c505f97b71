import sys
from pathlib import Path

import pandas as pd
import pytest

# Test files share the generator of made-up records, and a script that measures the site; with importlib mode nothing
# puts these folders on the path.
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmark" / "perf"))


@pytest.fixture(scope="session")
def board() -> pd.DataFrame:
    """The committed rows, see `prose.board`."""
    import prose  # once the path has its folder

    return prose.board()
