import errno

import pytest
from kedro.io import DatasetError
from yaml import YAMLError

from lepton_pipeline.errors import ConfigurationError, ContractError, DataError, DiskFullError
from lepton_pipeline.project.user_errors import user_error


def wrapped(cause: BaseException) -> DatasetError:
    error = DatasetError("Failed while loading")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ContractError("x"), ContractError, 3),
        (wrapped(DataError("inside")), DataError, 3),
        (wrapped(OSError("no such table")), DataError, 3),
        (wrapped(OSError(errno.ENOSPC, "No space left on device", "data/a.parquet")), DiskFullError, 1),
        (YAMLError("bad indent"), ConfigurationError, 2),
    ],
)
def test_what_a_user_can_mend_is_found_in_what_wraps_it(error, kind, code):
    found = user_error(error)
    assert type(found) is kind
    assert found.exit_code == code


def test_a_bug_is_no_users_error():
    assert user_error(ZeroDivisionError()) is None
