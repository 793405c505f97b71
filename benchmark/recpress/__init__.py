"""RecPress: the benchmark suite and leaderboard for compressed graph recommenders.

The Python API for notebooks, imported when it is first used (types are in ``__init__.pyi``)::

    import recpress as rp

    trained = rp.train("ml-100k", "lightgcn")
    model = rp.compress(trained, "uniform", budget="1/8")
    rp.compare(trained, model).summary()
    model.recommend([196, 186], k=5)
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULE_OF = {
    "CompressedModel": "recpress.python_api.models",
    "Evaluation": "recpress.python_api.models",
    "RunReport": "recpress.python_api.suites",
    "TrainedBackbone": "recpress.python_api.models",
    "UserError": "recpress.core.errors",
    "compare": "recpress.python_api.steps",
    "compress": "recpress.python_api.steps",
    "evaluate": "recpress.python_api.steps",
    "load": "recpress.python_api.steps",
    "load_dataset": "recpress.python_api.steps",
    "results": "recpress.python_api.suites",
    "run": "recpress.python_api.suites",
    "run_spec": "recpress.python_api.request",
    "train": "recpress.python_api.steps",
}
__all__ = [*_MODULE_OF, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
