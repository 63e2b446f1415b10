import pytest

from distilmt.config import AugmentationConfig, StudentConfig, loading
from distilmt.config.augmentation import ADDITIONS, DISTURBANCES
from distilmt.utils.errors import UserError


def test_off_by_default():
    config = loading.load([]).student.augmentation
    assert not config.nonzero_keys and not config.adds and not config.disturbs
    assert {*vars(config)} == {*DISTURBANCES, *ADDITIONS}


def test_keys_on_the_command_line():
    config = loading.load(["--student.augmentation.typos", "0.1", "--student.augmentation.copies", "0.05"])
    assert config.student.augmentation.nonzero_keys == ["typos", "copies"]


def test_a_sentence_has_one_case():
    with pytest.raises(UserError, match=r"is 1\.2, but"):
        AugmentationConfig(capitals=0.5, title_case=0.7)
    AugmentationConfig(capitals=0.3, lower_case=0.3, title_case=0.4)


def test_pictures_have_disturbances_of_their_own():
    with pytest.raises(UserError, match=r"student.augmentation.typos .* student.input is image: set it to 0"):
        StudentConfig(input="image", augmentation=AugmentationConfig(typos=0.1))
