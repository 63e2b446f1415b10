from pathlib import Path

import pytest

from distilmt.pipeline.run_root import check_run_root, hold_run_dir
from distilmt.utils.errors import UserError


def test_a_block_that_writes_nothing_leaves_no_directory(tmp_path):
    root = tmp_path / "new" / "run"
    with hold_run_dir(root, None):
        assert (root / ".lock").exists()
    assert not root.parent.exists()
    with pytest.raises(UserError), hold_run_dir(root, None):
        raise UserError("the pair has no corpus")
    assert not root.parent.exists()
    with hold_run_dir(root, None):
        (root / "plan.json").touch()
    assert (root / "plan.json").exists()


@pytest.mark.parametrize("name", ["a\x07b", "~/runs/a"])
def test_a_run_is_not_written_where_nobody_finds_it(name):
    with pytest.raises(UserError, match=r"^run_dir .*: (use another name|write the whole path)$"):
        check_run_root(name, ("corpus",), {})
    assert not Path(name).exists()
