"""MLflow, imported where it is used: without its telemetry, and with patience of seconds where its server is away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

_SETTINGS: Final = {
    # Read when mlflow is imported: it would tell its makers of each use.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # A campaign goes on without its tracking server, and catches up when that is back.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ASYNC_TRACE_LOGGING_RETRY_TIMEOUT": "10",
}


def import_mlflow() -> Any:
    """The module.

    Raises:
        ImportError: it is not installed; the message says what to install.
    """
    for name, value in _SETTINGS.items():
        if name.endswith(("TELEMETRY", "TRACK")):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)
    try:
        import mlflow
    except ImportError as error:
        raise ImportError("tracking.mlflow needs MLflow: pip install 'netwright[track]'") from error
    return mlflow


def open_experiment(uri: str, name: str) -> tuple[Any, str]:
    """A client of the store and the id of an experiment in it, which is made where there is none.

    Artifacts of a SQLite store lie in the folder ``mlflow-artifacts`` beside its file; a server knows its own place.
    """
    mlflow = import_mlflow()
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).absolute().parent.mkdir(parents=True, exist_ok=True)
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(name)
    if found is not None:
        return client, str(found.experiment_id)
    place = None
    if uri.startswith("sqlite:///"):
        file = Path(uri.removeprefix("sqlite:///")).absolute()
        place = (file.parent / "mlflow-artifacts" / name).as_uri()
    try:
        return client, str(client.create_experiment(name, artifact_location=place))
    except mlflow.exceptions.MlflowException:
        # Another campaign made it at this moment.
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return client, str(found.experiment_id)
