"""Settings of the Kedro project."""

import os

from lepton_pipeline.hooks import ProjectHooks
from lepton_pipeline.project.config_loader import ConfigLoader
from lepton_pipeline.system.variables import read_variable
from lepton_pipeline.tracking.database import PATIENCE

# Read by the libraries: none of them calls home or prints more than what went wrong.
for _name, _value in {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    **PATIENCE,
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    # The address it prints may hold a password; the summary says where a run is.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(_name, _value)

HOOKS = (ProjectHooks(),)

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment overrides single keys of a vertical, not its whole declaration.
    "merge_strategy": {"parameters": "soft"},
    "config_patterns": {"mlflow": ["mlflow*", "**/mlflow*"]},
    "custom_resolvers": {"oc.env": read_variable},
}
