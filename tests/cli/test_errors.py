import errno

import pytest

from distilmt.cli.errors import message


@pytest.mark.parametrize("directory", ["", "/proc/", "a/b/"])
def test_a_file_that_cannot_be_written_is_named_as_its_user_named_it(directory):
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", f"{directory}.x.po.123.tmp")
    assert message(error) == f"No such file or directory ({directory}x.po): check the path, or name another one"
    assert message(error, resumes=True) == message(error)
    own = FileNotFoundError(errno.ENOENT, "No such file or directory", f"{directory}.hidden.tmp")
    assert f"({directory}.hidden.tmp)" in str(message(own))


def test_only_a_command_that_resumes_names_that_remedy():
    error = OSError(errno.ENOSPC, "No space left on device", "a.txt")
    line = "No space left on device (a.txt): free space or permit writing, then run the same command again"
    assert message(error) == line
    assert message(error, resumes=True) == f"{line} to resume"
