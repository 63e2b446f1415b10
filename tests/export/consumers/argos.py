"""Install the package named and translate standard input with it, a line for a line; run by test_argos.py."""

import json
import sys

from argostranslate import package, settings, translate
from onnx import TensorProto, helper, save


def splitter():
    """A MiniSBD model that ends sentences at full stops: MiniSBD's own are on the web."""
    units = ["<PAD>", "<UNK>", "."]
    nodes = [
        helper.make_node("Equal", ["units", "stop"], ["ends"]),
        helper.make_node("Where", ["ends", "two", "none"], ["classes"]),
        helper.make_node("OneHot", ["classes", "depth", "values"], ["predictions"], axis=-1),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [], [value])
        for name, value in (("stop", 2), ("two", 2), ("none", 0), ("depth", 5))
    ]
    graph = helper.make_graph(
        nodes,
        "splitter",
        [
            helper.make_tensor_value_info("units", TensorProto.INT64, ["batch", "length"]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", "length", "features"]),
        ],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["batch", "length", 5])],
        [*constants, helper.make_tensor("values", TensorProto.FLOAT, [2], [0.0, 1.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    vocabulary = {"lang": "en", "idx": 0, "cutoff": 0, "lower": False, "_id2unit": units}
    vocabulary["_unit2id"] = {unit: i for i, unit in enumerate(units)}
    facts = {"lang_code": "en", "config": {"feat_funcs": ["end_of_para"]}, "vocab": vocabulary, "lexicon": None}
    helper.set_model_props(model, {key: v if isinstance(v, str) else json.dumps(v) for key, v in facts.items()})
    return model


package.install_from_path(sys.argv[1])
(installed,) = package.get_installed_packages()
assert settings.package_data_dir in installed.package_path.parents
(installed.package_path / "minisbd").mkdir()
save(splitter(), installed.package_path / "minisbd" / "en.onnx")
for line in sys.stdin:
    print(translate.translate(line.rstrip("\n"), installed.from_code, installed.to_code))
