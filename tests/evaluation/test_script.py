from distilmt.evaluation.script import LanguagePairClassifier

ENGLISH = ["the weather is nice today and we walk through the park", "two dogs are running after the red ball"]
GERMAN = ["das Wetter ist heute schön und wir gehen durch den Park", "zwei Hunde laufen hinter dem roten Ball her"]


def test_the_two_are_distinguished():
    message = LanguagePairClassifier(ENGLISH, GERMAN)
    assert message.is_source("the dogs walk through the park")
    assert not message.is_source("die Hunde gehen durch den Park")


def test_too_little_to_judge():
    message = LanguagePairClassifier(ENGLISH, GERMAN)
    assert (
        not message.is_source("the dogs")
        and not message.is_source("")
        and not message.is_source("1234567890 123456789 :-)")
    )


def test_other_scripts():
    message = LanguagePairClassifier(ENGLISH, ["今天天气很好我们去公园散步", "两只狗在追红色的球"])
    assert not message.is_source("我们今天去公园看两只红色的狗在散步") and message.is_source("the weather is nice")
