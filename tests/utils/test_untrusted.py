"""Configurations from elsewhere: what would run code is refused before transformers sees it."""

import json

import pytest
from helpers.examples import example_count
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.models.marian_checkpoint import load_marian
from distilmt.teachers.existing import family
from distilmt.utils.errors import UserError
from distilmt.utils.untrusted import check_configuration, loading

HOSTILE = {
    "auto_map": {"AutoModel": "evil.Model"},
    "custom_pipelines": {"translation": {"impl": "evil.Pipeline"}},
    "trust_remote_code": True,
    "_attn_implementation": "kernels-community/evil",
    "attn_implementation": "someone/kernel@main:layer",
    "_attn_implementation_internal": {"": "a/b"},
    "_attn_implementation_x": "evil",
    "_experts_implementation": "a/b",
    "use_kernels": True,
    "quantization_config": {"quant_method": "nonsense"},
    "dtype": "float7",
    "torch_dtype": 5,
}
HARMLESS = {
    "auto_map": {},
    "trust_remote_code": False,
    "_attn_implementation": "sdpa",
    "attn_implementation": {"decoder": "eager"},
    "_attn_implementation_autoset": True,
    "quantization_config": None,
    "dtype": "bfloat16",
    "torch_dtype": "torch.float32",
    "cache_implementation": "static",
}
wrappers = st.recursive(
    st.just("here"),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.dictionaries(st.sampled_from(["encoder", "text_config", "x"]), inner, min_size=1, max_size=2)
    ),
    max_leaves=4,
)


def within(form, entry):
    """An object with `entry` wherever the form has "here"."""
    if isinstance(form, dict):
        return {key: within(value, entry) for key, value in form.items()}
    return [within(each, entry) for each in form] if isinstance(form, list) else dict([entry])


@settings(max_examples=example_count(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wrappers, st.sampled_from(sorted(HOSTILE)), st.sampled_from(["config.json", "tokenizer_config.json"]))
def test_a_hostile_key_is_refused_wherever_it_stands(tmp_path, form, key, name):
    (tmp_path / "tokenizer_config.json").unlink(missing_ok=True)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text(json.dumps({"model_type": "marian", "inner": within(form, (key, HOSTILE[key]))}))
    with pytest.raises(UserError, match=f"{name} sets '{key}' to") as error:
        check_configuration(tmp_path)
    assert "\n" not in str(error.value)
    if name == "config.json":
        with pytest.raises(UserError, match=f"'{key}'"):
            family(str(tmp_path))
        with pytest.raises(UserError, match=f"'{key}'"):
            load_marian(tmp_path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wrappers, st.sampled_from(sorted(HARMLESS)))
def test_what_transformers_writes_itself_passes(tmp_path, form, key):
    (tmp_path / "config.json").write_text(json.dumps({"inner": within(form, (key, HARMLESS[key]))}))
    check_configuration(tmp_path)


def test_a_model_of_transformers_passes(trained_model):
    check_configuration(trained_model)


@pytest.mark.parametrize(
    "changes",
    [
        {"d_model": -1},
        {"d_model": "32"},
        {"vocab_size": -1},
        {"encoder_layers": -1},
        {"encoder_layers": 0},
        {"decoder_layers": 2},
        {"decoder_layers": "2"},
        {"d_model": 64},
        {"model_type": 5},
        {"model_type": "nonsense"},
        {"activation_function": "evil"},
        {"pad_token_id": 10**9},
        {"max_position_embeddings": -5},
        {"encoder_attention_heads": 0},
        {"id2label": 3},
    ],
)
def test_wrong_shapes_are_one_line(trained_model, tmp_path, changes):
    import shutil

    shutil.copytree(trained_model, tmp_path / "model")
    config = json.loads((trained_model / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(UserError) as error:
        load_marian(tmp_path / "model")
    assert "\n" not in str(error.value) and "model" in str(error.value)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "3", "{", '{"a":' * 50_000])
def test_a_configuration_that_is_none_is_one_line(trained_model, tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError) as error:
        family(str(tmp_path))
    assert "\n" not in str(error.value)


def test_faults_of_our_own_are_not_hidden():
    with pytest.raises(UserError, match="teacher 'x' cannot be loaded: Expecting value"), loading("x"):
        json.loads("?")
    with pytest.raises(ZeroDivisionError), loading("x"):
        from distilmt.utils import untrusted

        exec(compile("1 / 0", untrusted.__file__, "exec"))


def test_a_name_without_a_model_is_one_line_without_retries(monkeypatch, caplog):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="'no-model' is not a directory, and the Hugging Face hub"):
        family("no-model")
    assert not caplog.records  # a download would log its retries
