"""Every mixer of the package declares its agreement with a reference, with tests that exist."""

import ast
from pathlib import Path

import pytest
import torch
import torch.nn.functional as nnf

from benchmarks import agreement
from tests.task.tasks import LABELS, images, model
from timm_multimix import MixTask
from timm_multimix import functional as F
from timm_multimix.mixers.cards import read_cards

TESTS = Path(__file__).parents[1]
CARDS = {card.name: card for card in read_cards()}


def functions_of(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_page_is_up_to_date():
    assert agreement.PAGE.read_text(encoding="utf-8") == agreement.make_page(), "run `make docs`"


@pytest.mark.parametrize("name", CARDS)
def test_every_mixer_names_its_reference_and_tests_that_exist(name):
    found = CARDS[name].agreement
    assert found is not None, "register_mixer(..., agreement=Agreement(...))"
    assert found.reference
    assert found.tested
    assert found.tests
    for test in found.tests:
        file, _, function = test.partition("::")
        assert function in functions_of(file), test


def test_a_mixer_without_agreement_is_an_error(monkeypatch):
    card = CARDS["mixup"]
    monkeypatch.setattr(agreement, "read_cards", lambda: [type(card)(**{**vars(card), "agreement": None})])
    with pytest.raises(ValueError, match=r"mixer mixup must be registered with agreement=Agreement"):
        agreement.make_page()


def test_none_is_the_plain_loss():
    x, targets, net = images(), torch.eye(5), model().eval()
    draw = F.none.draw(x)
    assert draw(x) is x
    assert draw.targets(targets) is targets
    task = MixTask(net, "none").train()
    net.eval()
    expected = nnf.cross_entropy(net(images()), LABELS)
    torch.testing.assert_close(task._training_step(images(), LABELS)["loss"], expected)
