"""Extra passes do not disturb the training pass."""

import pytest
import torch
from torch import nn

from timm_multimix.sites.eval_mode import eval_mode, undisturbed

CPU = torch.device("cpu")


def network():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(4)))
    made[1].eval()
    return made


def modes(model):
    return [module.training for module in model.modules()]


@pytest.mark.parametrize("context", [eval_mode, lambda model: undisturbed(model, CPU)], ids=["mode", "all"])
def test_every_module_returns_to_its_own_mode(context):
    model = network()
    before, state = modes(model), {key: value.clone() for key, value in model.state_dict().items()}
    with context(model):
        assert not any(modes(model))
        model(torch.randn(5, 3))
    assert modes(model) == before == [True, True, False, True, True, True]
    with pytest.raises(KeyError), context(model):
        raise KeyError
    assert modes(model) == before
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_gradients_are_off_or_as_outside():
    with undisturbed(network(), CPU):
        assert not torch.is_grad_enabled()
    with undisturbed(network(), CPU, grad=True):
        assert torch.is_grad_enabled()
    with torch.no_grad(), undisturbed(network(), CPU, grad=True):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_autocast_is_as_outside_or_off():
    model, x = nn.Linear(3, 4), torch.randn(5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with undisturbed(model, CPU):
            assert model(x).dtype == torch.bfloat16
        with undisturbed(model, CPU, autocast=False):
            assert model(x).dtype == torch.float32
    with undisturbed(model, CPU):
        assert model(x).dtype == torch.float32


def test_casts_made_inside_do_not_serve_the_training_pass():
    model, x = nn.Linear(3, 4), torch.randn(5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with undisturbed(model, CPU):
            model(x)
        model(x).float().sum().backward()
    assert model.weight.grad is not None


def test_random_numbers_are_kept_where_asked():
    def drawn(**options):
        model = network()
        torch.manual_seed(3)
        with undisturbed(model, CPU, **options):
            torch.rand(2)
        return torch.rand(3)

    torch.manual_seed(3)
    untouched = torch.rand(3)
    assert torch.equal(drawn(keep_random=True), untouched)
    assert not torch.equal(drawn(), untouched)
