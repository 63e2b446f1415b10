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


def test_a_plan_before_the_first_step_does_not_occupy_the_directory(tmp_path):
    """`distill` writes it before the corpus: the same command works after a corpus that was refused."""
    plan = tmp_path / "plan.json"
    plan.write_text('{"teacher": {"settings": {"minutes": 1}, "plan": {"labels": 500}}}')
    assert check_run_root(str(tmp_path), ("corpus",), {}) == tmp_path
    for foreign in ('{"teacher": {"name": "mine"}}', '["a"]', "not JSON"):
        plan.write_text(foreign)
        with pytest.raises(UserError, match=r"contains plan\.json but no run"):
            check_run_root(str(tmp_path), ("corpus",), {})
