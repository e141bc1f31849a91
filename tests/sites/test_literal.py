"""The literal reading of mixing before the classifier: its own input is mixed, and n rows are classified."""

import pytest
import timm
import torch
from torch import nn

from tests.networks import SmallNet, small_volo
from tests.sites.heads import LEVIT
from tests.task.tasks import LABELS, images, model
from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.sites.frozen_norm import recorded_inputs


class Cosine(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, width))

    def forward(self, x):
        return 4 * nn.functional.normalize(x) @ nn.functional.normalize(self.weight).T


def net(head=None):
    torch.manual_seed(0)
    made = SmallNet()
    made.head = head or made.head
    return made.double()


HEADS = {
    "linear": lambda: nn.Linear(6, 4),
    "cosine": lambda: Cosine(6, 4),
    "norm": lambda: nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 4)),
    "batch norm": lambda: nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 4)),
    "hidden layer": lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)),
}


def of_the_task(made, spec, seed=3):
    task = MixTask(made, spec, seed=seed).train()
    made.zero_grad()
    result = task(images(6, 16).double(), torch.tensor([0, 1, 2, 3, 0, 1]))
    result["loss"].backward()
    return result, [parameter.grad.clone() for parameter in made.parameters()], task


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.filterwarnings("ignore:SmallNet")
def test_the_classifier_sees_the_mixed_embeddings(kind):
    """Against the paper's order by hand: embed, mix, classify n rows, cross-entropy of the mixed targets."""
    made = net(HEADS[kind]())
    result, gradients, task = of_the_task(made, "multimix(p=1, n=9, m=3, literal='head')")
    task.step = 0
    x, targets = images(6, 16).double(), torch.eye(4).double()[[0, 1, 2, 3, 0, 1]]
    embedded = made.forward_features(x).mean((2, 3))
    weights = F.multimix.draw(embedded, 9, 3, (0.5, 2.0), generator=task._generator(x)).weights.double()
    logits = made.head(weights @ embedded)
    expected = -((weights @ targets) * logits.log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(result["loss"], expected, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(result["output"], logits, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(result["target"].double(), weights @ targets)
    made.zero_grad()
    expected.backward()
    for ours, parameter in zip(gradients, made.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("kind", "same"), [("linear", True), ("cosine", False), ("norm", False)])
@pytest.mark.filterwarnings("ignore:SmallNet")
def test_both_readings_are_the_same_where_all_is_affine(kind, same):
    losses = []
    for literal in ("", ", literal='head'"):
        torch.manual_seed(1)  # the same head both times
        loss, gradients, _ = of_the_task(net(HEADS[kind]()), f"multimix(p=1, n=9{literal})")
        losses.append([loss["loss"], *gradients])
    close = [torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(*losses, strict=True)]
    assert all(close) == same


@pytest.mark.parametrize(("name", "options"), [("test_resnet", {}), ("test_vit", {"img_size": 32})])
def test_the_models_own_classifier_is_found(name, options):
    made = model(name=name, **options)
    task = MixTask(made, "multimix(p=1, n=11, literal=True)", seed=1).train()
    with recorded_inputs([made.get_classifier()]) as calls:
        result = task(images(), LABELS)
    assert result["output"].shape == result["target"].shape == (11, 5)
    assert calls[0][1].shape[0] == 11
    usual = MixTask(made, "multimix(p=1, n=11)", seed=1).train()(images(), LABELS)
    torch.testing.assert_close(result["loss"], usual["loss"], rtol=1e-4, atol=1e-5)


def test_a_norm_in_the_classifier_is_of_the_mixed_examples():
    made = timm.create_model("levit_128s", num_classes=5, drop_path_rate=0.0, **LEVIT)
    norm = made.get_classifier()[0].bn if isinstance(made.get_classifier(), tuple) else made.head.bn
    norm.momentum = 1.0
    with recorded_inputs([norm]) as calls:
        MixTask(made, "multimix(p=1, n=50, literal=True)").train()(images(6, 96), LABELS)
    ((_, seen),) = calls
    assert len(seen) == 50
    torch.testing.assert_close(norm.running_mean, seen.mean(0))


def test_several_heads_are_named():
    """VOLO adds to the class token's logits a maximum over the tokens', by a head that it does not name."""
    made = small_volo()
    task = MixTask(made, "multimix(p=1, n=11, literal=('head', 'aux_head'))").train()
    with recorded_inputs([made.head, made.aux_head]) as calls:
        assert task(images(6, 64), LABELS)["output"].shape == (11, 5)
    assert [len(x) for _, x in calls] == [11, 11]


def test_the_next_pass_is_not_mixed_and_neither_is_an_average_of_the_model():
    made = model()
    task = MixTask(made, "multimix(p=1, n=11, literal=True)", distill=0.5).train()
    task.update_ema(0)
    result = task(images(), LABELS)
    assert result["loss"].isfinite()
    made.eval()
    assert made(images()).shape == (6, 5)
    assert task.trainable_module_ema.module(images()).shape == (6, 5)


def test_it_works_compiled():
    losses = []
    for compiled in (False, True):
        task = MixTask(model(), "multimix(n=11, literal=True)", seed=2).train()
        if compiled:
            torch.compiler.reset()
            task.compile(backend="eager")
        losses.append([task(images(), LABELS)["loss"].item() for _ in range(4)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_in_half_precision_the_weights_are_not():
    made = model()
    task = MixTask(made, "multimix(p=1, n=400, literal=True)", seed=1).train()
    usual = MixTask(made, "multimix(p=1, n=400)", seed=1).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = [each(images(), LABELS)["loss"] for each in (task, usual)]
    torch.testing.assert_close(*losses, rtol=2e-2, atol=2e-2)


def test_after_mixup_in_one_pass():
    task = MixTask(model(), "mixup >> multimix(p=1, n=11, literal=True)").train()
    result = task(images(), LABELS)
    assert result["output"].shape == (11, 5)
    torch.testing.assert_close(result["target"].sum(1), torch.ones(11))
    result["loss"].backward()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("multimix(literal='')", "literal must be True, False or names of modules, got ''"),
        ("multimix(literal=2)", "literal must be True, False or names of modules, got 2"),
        ("multimix(literal=True, gather=True)", "literal must be given with gather=False"),
        ("multimix(literal=True, m=2, place='input')", "literal must be given with place='embedding'"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(spec, message):
    with pytest.raises(UsageError, match=message):
        create_mixer(spec)


def test_a_classifier_that_is_not_found_or_not_called_is_an_error():
    with pytest.raises(
        UsageError, match=r"literal must be a module's name, literal='module\.name', for a model"
    ):
        MixTask(SmallNet(), "multimix(literal=True)")
    with pytest.raises(UsageError, match="literal must be the name of a module, got 'fc' and a SmallNet"):
        MixTask(SmallNet(), "multimix(literal='fc')")
    made = SmallNet()
    made.unused = nn.Linear(6, 4)
    task = MixTask(made, "multimix(p=1, literal='unused')").train()
    with pytest.raises(UsageError, match="got a pass that never called it"):
        task(images(6, 16), torch.tensor([0, 1, 2, 3, 0, 1]))
