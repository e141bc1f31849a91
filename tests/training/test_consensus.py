"""Agreement between processes, and its delay on devices that must not be synchronized."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist

from timm_multimix.training.consensus import Consensus, Readback, Stop, Watch
from timm_multimix.training.interrupt import Interrupt
from timm_multimix.training.state import NEVER, NonFinite, Sums


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def accelerator(processes: int, device: str) -> Any:
    return SimpleNamespace(num_processes=processes, device=torch.device(device))


def test_one_process_agrees_with_itself_at_once() -> None:
    assert Consensus(accelerator(1, "cuda")).largest([3, -5]) == [3, -5]


@pytest.mark.usefixtures("group")
def test_on_a_cpu_the_values_are_those_of_this_call() -> None:
    consensus = Consensus(accelerator(2, "cpu"))
    assert [consensus.largest([number, -NEVER]) for number in range(3)] == [[n, -NEVER] for n in range(3)]


@pytest.mark.usefixtures("group")
def test_on_an_accelerator_they_are_those_of_the_call_before() -> None:
    consensus = Consensus(accelerator(2, "cuda"))
    assert [consensus.largest([number])[0] for number in (1, 2, 3, 4)] == [1, 1, 2, 3]


def test_a_readback_returns_the_newest_value_that_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[bool] = []
    readback = Readback(torch.device("cuda"))

    def send(number: torch.Tensor) -> None:
        index = len(arrived)
        arrived.append(False)
        readback._copies.append((number.clone(), SimpleNamespace(query=lambda: arrived[index])))  # type: ignore[arg-type]

    monkeypatch.setattr(readback, "_send", send)
    assert readback(torch.tensor(5)) == NEVER
    assert readback(torch.tensor(4)) == NEVER
    arrived[1] = True  # copies arrive in their order, so nobody asks for this one yet
    assert readback(torch.tensor(3)) == NEVER
    arrived[0] = True
    assert readback(torch.tensor(3)) == 4


def test_a_watch_reports_signals_and_bad_steps() -> None:
    interrupt = Interrupt()
    watch, sums = Watch(accelerator(1, "cpu"), interrupt), Sums.zero(torch.device("cpu"))
    assert not watch.look(sums)
    assert list(watch.over([(torch.ones(1),) * 3] * 2))
    interrupt.number = 15
    assert watch.look(sums)
    with pytest.raises(Stop):
        list(watch.over([(torch.ones(1),) * 3] * 2))
    sums.bad_step = torch.tensor(7)
    with pytest.raises(NonFinite) as caught:
        watch.look(sums)
    assert caught.value.step == 7
