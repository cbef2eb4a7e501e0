"""Read and validate a vertical's declaration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError
from yaml import YAMLError

from lepton_pipeline.data.contracts.expectations import check_declarations
from lepton_pipeline.errors import ConfigurationError, did_you_mean
from lepton_pipeline.features.derive import check_features_declared
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.parameters.jobs import name_problem
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.system.variables import read_variable, refused_variables


def find_verticals(base: Path) -> list[str]:
    """Names of the vertical folders below `conf/base`, sorted.

    Raises ConfigurationError without a vertical, or with one that cannot name a pipeline.
    """
    names = sorted(path.parent.name for path in base.glob("*/parameters.yml"))
    if not names:
        raise ConfigurationError(f"no vertical in {base}: put a folder with a parameters.yml there.")
    for name in names:
        plain = re.fullmatch(r"[a-z][a-z0-9_]*", name)
        if problem := name_problem(name) if plain else "use a to z, 0 to 9 and _, a letter first":
            raise ConfigurationError(f"{base / name} cannot be a vertical: {problem}.")
    return names


def require_vertical(base: Path, name: str) -> None:
    """Raise ConfigurationError, with the known ones, if `conf/base` has no vertical of this name."""
    require_known(name, find_verticals(base))


def require_known(name: str, known: list[str]) -> None:
    """Raise ConfigurationError if there is no such vertical."""
    if name not in known:
        hint = did_you_mean(name, known)
        raise ConfigurationError(f"no vertical {name!r}; {hint}there are {', '.join(known)}.")


def read_parameters(base: Path, name: str) -> Vertical:
    """Read conf/base/<name>/parameters.yml alone, as the project's loader does: 1e-3 is a number.

    Raises ConfigurationError if the file cannot be read, or its declaration is invalid.
    """
    path = base / name / "parameters.yml"
    OmegaConf.register_new_resolver("oc.env", read_variable, replace=True)
    try:
        declared: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        problem = " ".join(str(error).split())
        raise ConfigurationError(f"{name}: {path} cannot be read: {problem}; correct its YAML.") from error
    return read_vertical(name, declared.get(name) if isinstance(declared, dict) else declared)


def read_vertical(name: str, declared: Any) -> Vertical:
    """Build the typed declaration of a vertical, defaults filled in, from what stands below its top key.

    Raises ConfigurationError with one line for every invalid key: key, value and remedy.
    """
    if problems := refused_variables(declared, name):
        raise ConfigurationError("\n".join(problems))
    if not isinstance(declared, dict):
        raise ConfigurationError(
            f"vertical {name!r} declares {declared!r}; "
            f"expected keys below '{name}:' in conf/base/{name}/parameters.yml. "
            f"The keys are {', '.join(Vertical.model_fields)}."
        )
    try:
        # Texts of `about` are shown beside every result.
        vertical = Vertical.model_validate({**declared, **masked({"about": declared.get("about", {})})})
    except ValidationError as refused:
        by_key: dict[str, list[Any]] = {}
        for error in refused.errors():
            by_key.setdefault(_key(error["loc"]), []).append(error)
        problems = [_explain(key, errors) for key, errors in by_key.items()]
    else:
        problems = check_declarations(vertical.contract)
        for table, contract in vertical.tables.items():
            problems += check_declarations(contract, f"tables.{table}")
        problems += check_features_declared(vertical.features, vertical.dataset)
        if not problems:
            return _part_column_excluded(vertical)
    raise ConfigurationError("\n".join(f"{name}.{problem}" for problem in problems))


def _part_column_excluded(vertical: Vertical) -> Vertical:
    """The column that names parts is no feature, whatever else it is."""
    dataset, column = vertical.dataset, vertical.split.column
    if column is None or any(column in columns for columns in dataset.roles().values()):
        return vertical
    excluded = {"exclude": [*dataset.exclude, column]}
    return vertical.model_copy(update={"dataset": dataset.model_copy(update=excluded)})


def _explain(key: str, errors: list[Any]) -> str:
    """One line for pydantic's errors at one key."""
    error, location = errors[0], errors[0]["loc"]
    if error["type"] == "extra_forbidden":
        valid = list(_model_at(location[:-1]).model_fields)
        hint = did_you_mean(str(location[-1]), valid)
        return f"{key}: unknown key; {hint}valid keys are {', '.join(valid)}."
    if error["type"] == "missing":
        return f"{key}: required, but not declared; {_description(location)}."
    if error["type"] == "value_error":
        return ": ".join(filter(None, [key, str(error["ctx"]["error"])])) + "."
    # A union reports an error for each member.
    rules = " or ".join(dict.fromkeys(each["msg"].removeprefix("Input should be ") for each in errors))
    # A value of alerts may be a secret.
    value = "this" if location[0] == "alerts" else repr(error["input"])
    return f"{key}: {value} must be {rules} ({_description(location)})."


def _key(location: tuple[str | int, ...]) -> str:
    """A location as declared (`contract.expectations[0].column`), without pydantic's union members."""
    parts: list[str] = []
    for position, part in enumerate(location):
        if isinstance(part, int):
            parts.append(f"[{part}]")
            continue
        parts.append(f".{part}")
        model = _model_at(location[:position])
        if part in model.model_fields and _model_at(location[: position + 1]) is model:
            parts += [f"[{rest}]" for rest in location[position + 1 :] if isinstance(rest, int)]
            break
    return "".join(parts).lstrip(".")


def _model_at(location: tuple[str | int, ...]) -> type[BaseModel]:
    """The model with the keys at `location`."""
    model: type[BaseModel] = Vertical
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            kinds = [each for each in (annotation, *get_args(annotation)) if isinstance(each, type)]
            model = next((each for each in kinds if issubclass(each, BaseModel)), model)
    return model


def _description(location: tuple[str | int, ...]) -> str:
    """Description of the field nearest to `location`."""
    for end in range(len(location), 0, -1):
        field = _model_at(location[: end - 1]).model_fields.get(str(location[end - 1]))
        if field is not None and field.description:
            return field.description
    return f"see the keys of {_model_at(location).__name__}"
