from distilmt.utils.sizes import size_text, total_bytes


def test_bytes_of_a_directory_are_those_of_its_files_at_any_depth(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"12345")
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "vocab.json").write_bytes(b"678")
    assert total_bytes(tmp_path) == 8
    assert total_bytes(tmp_path, "*.json") == 3
    assert total_bytes(tmp_path / "model.bin") == 5
    assert total_bytes(tmp_path / "missing") == 0


def test_sizes_are_written_in_decimal_units():
    assert [size_text(size) for size in (0, 1_250_000, 999_949_999, 2_000_000_000)] == [
        "0.0 MB",
        "1.2 MB",
        "999.9 MB",
        "2.0 GB",
    ]
