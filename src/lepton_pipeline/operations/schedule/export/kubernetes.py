"""A Kubernetes CronJob for each vertical."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import yaml

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.schedule.export.place import NOTE, Place, cron_of, expression
from lepton_pipeline.operations.schedule.policies import Policy
from lepton_pipeline.operations.schedule.state import FINAL_CODES, back_off

# A CronJob appends eleven characters to its name, and a label has 63.
Manifest = dict[str, Any]
_LONGEST_NAME = 52
_LABELS = {"app.kubernetes.io/name": "lepton-pipeline", "app.kubernetes.io/component": "retraining"}


def kubernetes_files(policies: list[Policy], place: Place) -> dict[str, str]:
    """One manifest for each vertical; ConfigurationError if there is no image."""
    if place.image is None:
        raise ConfigurationError("--image: kubernetes needs an image of the project and its environment.")
    manifests = {f"{_name(policy.vertical)}.yaml": _manifest(policy, place) for policy in policies}
    # The width keeps every text in one line.
    return {
        name: f"# {NOTE}\n{yaml.safe_dump(manifest, sort_keys=False, width=1000)}"
        for name, manifest in manifests.items()
    }


def _manifest(policy: Policy, place: Place) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": _name(policy.vertical), "labels": dict(_LABELS)},
        "spec": {
            "schedule": expression(policy),
            "timeZone": cron_of(policy).zone,
            "concurrencyPolicy": "Forbid",
            # What was missed is made up for within this time. With more, a schedule of every minute would
            # miss more than the hundred ticks above which the controller gives up.
            "startingDeadlineSeconds": 3600,
            "jobTemplate": {"metadata": {"labels": dict(_LABELS)}, "spec": _job(policy, place)},
        },
    }


def _job(policy: Policy, place: Place) -> Manifest:
    container = {
        "name": "retrain",
        "image": place.image,
        # $(NAME) would be replaced by the kubelet.
        "command": [word.replace("$(", "$$(") for word in place.command(policy.vertical)],
        "workingDir": place.project,
        "envFrom": [{"secretRef": {"name": "lepton-pipeline", "optional": True}}],
    }
    waits = sum(back_off(attempt).total_seconds() for attempt in range(1, policy.retries + 1))
    on_exit = {"containerName": "retrain", "operator": "In", "values": list(FINAL_CODES)}
    return {
        "backoffLimit": policy.retries,
        "activeDeadlineSeconds": int((policy.retries + 1) * (policy.timeout + 60) + waits),
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
    name = f"retrain-{vertical.replace('_', '-').rstrip('-')}"
    plain = name.replace("-", "_") == f"retrain_{vertical}"
    if len(name) <= _LONGEST_NAME and plain:
        return name
    return f"{name[: _LONGEST_NAME - 9].rstrip('-')}-{sha256(vertical.encode()).hexdigest()[:8]}"
