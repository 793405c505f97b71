from recpress.core.errors import UserError as UserError
from recpress.python_api.models import CompressedModel as CompressedModel
from recpress.python_api.models import Evaluation as Evaluation
from recpress.python_api.models import TrainedBackbone as TrainedBackbone
from recpress.python_api.request import run_spec as run_spec
from recpress.python_api.steps import compare as compare
from recpress.python_api.steps import compress as compress
from recpress.python_api.steps import evaluate as evaluate
from recpress.python_api.steps import load as load
from recpress.python_api.steps import load_dataset as load_dataset
from recpress.python_api.steps import train as train
from recpress.python_api.suites import RunReport as RunReport
from recpress.python_api.suites import results as results
from recpress.python_api.suites import run as run

__version__: str
