import sys
from pathlib import Path

# Test files share the generator of made-up records; with importlib mode nothing puts this folder on the path.
sys.path.insert(0, str(Path(__file__).parent))
