"""The teacher's labels as a data set: python examples/labels_dataset.py runs/demo/labels"""

import sys

import distilmt

store = distilmt.LabelStore(sys.argv[1])
print(len(store), "sentences, top", store.k)
row = next(iter(store))
print(row.source, "→", row.hypotheses[0][0])
dataset = store.to_dataset()  # needs the package datasets
print(dataset.column_names)
print(dataset.train_test_split(test_size=0.1, seed=1))
