"""A Kubernetes CronJob for each vertical."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.schedule.export.place import (
    Place,
    cron_of,
    expression,
    to_yaml,
    total_seconds,
)
from lepton_pipeline.operations.schedule.plan import FINAL_CODES
from lepton_pipeline.operations.schedule.policies import Policy

# A CronJob appends eleven characters to its name, and a label has 63.
_LONGEST_NAME = 52


def kubernetes_files(policies: list[Policy], place: Place) -> dict[str, str]:
    """One manifest for each vertical.

    Raises:
        ConfigurationError: there is no image.
    """
    if place.image is None:
        raise ConfigurationError("--image: kubernetes needs an image of the project and its environment.")
    return {f"{_name(policy.vertical)}.yaml": to_yaml(_manifest(policy, place)) for policy in policies}


def _manifest(policy: Policy, place: Place) -> dict[str, Any]:
    cron = cron_of(policy)
    labels = {"app.kubernetes.io/name": "lepton-pipeline", "app.kubernetes.io/component": "retraining"}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": _name(policy.vertical), "labels": labels},
        "spec": {
            "schedule": expression(cron.fields, policy.vertical),
            "timeZone": cron.zone,
            "concurrencyPolicy": "Forbid",
            # What was missed is made up for within this time. With more, a schedule of every minute would
            # miss more than the hundred ticks above which the controller gives up.
            "startingDeadlineSeconds": 3600,
            "jobTemplate": {"metadata": {"labels": labels}, "spec": _job(policy, place)},
        },
    }


def _job(policy: Policy, place: Place) -> dict[str, Any]:
    container = {
        "name": "retrain",
        "image": place.image,
        # $(NAME) would be replaced by the kubelet.
        "command": [word.replace("$(", "$$(") for word in place.command(policy.vertical)],
        "workingDir": place.project,
        "envFrom": [{"secretRef": {"name": "lepton-pipeline", "optional": True}}],
    }
    on_exit = {"containerName": "retrain", "operator": "In", "values": list(FINAL_CODES)}
    return {
        "backoffLimit": policy.retries,
        "activeDeadlineSeconds": total_seconds(policy),
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": on_exit}]},
        "template": {
            "spec": {
                "restartPolicy": "Never",
                # Of one attempt; that of the job is of all.
                "activeDeadlineSeconds": max(int(policy.timeout), 1),
                "terminationGracePeriodSeconds": 60,
                "containers": [container],
            }
        },
    }


def _name(vertical: str) -> str:
    """A valid Kubernetes name: without underscores, and short enough."""
    name = f"retrain-{vertical.replace('_', '-').rstrip('-')}"
    plain = name.replace("-", "_") == f"retrain_{vertical}"
    if len(name) <= _LONGEST_NAME and plain:
        return name
    return f"{name[: _LONGEST_NAME - 9].rstrip('-')}-{sha256(vertical.encode()).hexdigest()[:8]}"
