"""Distill a text classifier into a small network with fewer features: which section of Debian is a package for?

    pip install -e '.[classify]'   # in a clone of the repository
    python examples/text_classification.py

The descriptions are downloaded from Debian's mirrors with apt, without root. It takes about a minute.
"""

from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline

from distilmt.classification import Distilled, NetworkClassifier, baseline_of, compare, load, markdown
from distilmt.data.readers import apt, debian, debian_sections

indices = apt.fetch(["en"], apt.default_cache())
train, test = debian_sections.split(debian_sections.examples(debian.descriptions(indices)), seed=1)
X, y = [example.text for example in train], [example.label for example in train]
X_test, y_test = [example.text for example in test], [example.label for example in test]

# The student has 1,024 features, into which all words are hashed; the teacher has words and word pairs.
hashed = HashingVectorizer(n_features=1024, alternate_sign=False, stop_words="english", norm=None)
student = make_pipeline(
    hashed,
    TfidfTransformer(sublinear_tf=True),
    NetworkClassifier(hidden=(64,), epochs=15, optimizer="sgd", learning_rate=0.1, dropout=0.3),
)
teacher = make_pipeline(
    TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, stop_words="english"),
    SGDClassifier(loss="log_loss", alpha=1e-5),
)

# A teacher's predictions on its own training texts are little more than their labels: with cv=5 the soft targets of a
# text come from a clone that was not trained on it.
distilled = Distilled(teacher, student, alpha=0.3, cv=5, random_state=1).fit(X, y)
baseline = baseline_of(distilled).fit(X, y)

systems = {"teacher": distilled.teacher_, "student": distilled, "student without a teacher": baseline}
print(markdown(compare(systems, X_test, y_test, baseline="student without a teacher", teacher="teacher")))

distilled.save("sections-student")
print(load("sections-student").predict(["A puzzle game with forty levels", "DNS server with a web interface"]))
