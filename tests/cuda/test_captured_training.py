"""Captured training steps as scripts write them: dropout, schedules, clipped gradients, AdamW, running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, registry
from minigrad.errors import GraphError


@pytest.fixture
def gpu(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`minigrad.cuda` with the emulated device as the default one."""
    import minigrad.cuda

    monkeypatch.setitem(registry._loaded, "cuda", cuda)
    with registry.use_backend(cuda):
        yield minigrad.cuda


def philox(key: int, place: int, draw: int) -> list[int]:
    """Philox4x32-10, with Python's whole numbers."""
    mask = 2**32 - 1
    k, c = [key & mask, key >> 32], [place & mask, place >> 32, draw & mask, draw >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & mask, a >> 32 ^ c[3] ^ k[1], a & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


def test_philox_gives_the_published_words() -> None:
    """The known answers that come with the paper's own code."""
    assert philox(0, 0, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox(2**64 - 1, 2**64 - 1, 2**64 - 1) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert philox(0x299F31D0A4093822, 0x85A308D3243F6A88, 0x0370734413198A2E) == [
        0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1,
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_mask_is_philox_s(cuda: Any, dtype: str, size: int) -> None:
    key = cuda.from_numpy(np.array([0x299F31D0A4093822], np.int64))
    with cuda.capture(lambda values: None, lambda: (key, 3)):
        cuda.capturing = False  # run now: this is about the kernel
        got = cuda.noise((size,), 0.75, 4 / 3, dtype)
    quarter = -(-size // 4)
    words = np.array([philox(0x299F31D0A4093822, i, 3) for i in range(quarter)]).T.reshape(-1)[:size]
    want = np.where(words < 0.75 * 2**32, np.dtype(dtype).type(4 / 3), 0)
    assert got.dtype == dtype and (got.get() == want).all()


def test_outside_a_capture_the_host_draws(cuda: Any) -> None:
    assert cuda.noise((3,), 0.5, 2.0, "float32") is None


def test_every_replay_has_masks_of_its_own(gpu: Any) -> None:
    x = mg.ones(1000, device="cuda", requires_grad=True)
    first, second = nn.Dropout(0.25), nn.Dropout(0.5)

    def step(x: Any) -> Any:
        a, b = first(x), second(x)
        (gradient,) = mg.autograd.grad((a * 3).sum(), x)
        return a, b, gradient

    def run() -> list[list[float]]:
        return [y.tolist() for y in captured(x)]

    captured = gpu.graph(step, warmup=1)
    run()
    seen = [run() for _ in range(6)]
    assert captured.captured == 1
    masks = {tuple(np.sign(y)) for a, b, _ in seen for y in (a, b)}
    assert len(masks) == 12
    for a, b, gradient in seen:
        assert set(a) == {0.0, np.float32(1 / 0.75)} and set(b) == {0.0, 2.0}
        assert abs(np.count_nonzero(a) - 750) < 60 and abs(np.count_nonzero(b) - 500) < 70
        assert gradient == [np.float32(3) * np.float32(v) for v in a]
    mg.manual_seed(7)
    once = [run() for _ in range(3)]
    mg.manual_seed(7)
    assert [run() for _ in range(3)] == once
    state = mg.get_rng_state()
    after = run()
    mg.set_rng_state(state)
    assert run() == after


@pytest.mark.parametrize("layer", [nn.AlphaDropout(0.3), nn.Dropout2d(0.3), nn.FeatureAlphaDropout(0.3)], ids=str)
def test_other_dropouts_are_captured_too(gpu: Any, layer: Any) -> None:
    captured = gpu.graph(layer, warmup=1)
    x = mg.ones(4, 40, 3, 3, device="cuda")
    seen = [captured(x).tolist() for _ in range(4)]
    assert captured.captured == 1 and seen[1] != seen[2] != seen[3]
    channels = np.array(seen[3]).reshape(160, 9)
    whole = (channels == channels[:, :1]).all(1)
    assert whole.all() or isinstance(layer, nn.AlphaDropout)
    assert 1 < len(np.unique(np.round(channels, 4))) == 2


class Training:
    """A network with running statistics, trained with a schedule and clipped gradients."""

    def __init__(self, make: Any, schedule: Any) -> None:
        mg.manual_seed(0)
        self.model = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 4)
        )
        self.optimizer = make(self.model.parameters())
        self.schedule = schedule(self.optimizer)
        self.norms: list[float] = []

    def step(self, x: Any, target: Any) -> Any:
        self.optimizer.zero_grad()
        loss = nn.functional.nll_loss(nn.functional.log_softmax(self.model(x), 1), target)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.optimizer.step()
        return loss, norm


def batches(count: int) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(1)
    return [
        (mg.tensor(rng.standard_normal((5, 1, 8, 8)).astype("f4")), mg.tensor(rng.integers(0, 4, 5)))
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("make", "schedule"),
    [
        (lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.1), lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, 9)),
        (lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5)),
        (lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1), lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 9)),
    ],
    ids=["adamw one-cycle", "momentum steps", "decay cosine"],
)
def test_a_whole_training_is_the_same_bits_captured(gpu: Any, make: Any, schedule: Any) -> None:
    eager, captured = Training(make, schedule), Training(make, schedule)
    step = gpu.graph(captured.step, captured.optimizer, warmup=1)
    for x, target in batches(8):
        want, got = eager.step(x, target), step(x, target)
        assert [v.tolist() for v in want] == [v.tolist() for v in got]
        eager.schedule.step()
        captured.schedule.step()
    assert step.captured == 1
    ours, theirs = captured.model.state_dict(), eager.model.state_dict()
    assert {k: v.tolist() for k, v in ours.items()} == {k: v.tolist() for k, v in theirs.items()}
    assert ours["1.num_batches_tracked"].item() == 8


def test_replays_allocate_nothing_and_wait_for_nothing(gpu: Any, cupy: Any) -> None:
    from cupy import _stream

    training = Training(lambda p: optim.Adam(p), lambda o: optim.lr_scheduler.ExponentialLR(o, 0.9))
    step = gpu.graph(training.step, training.optimizer, warmup=1)
    data = [(x.cuda(), target.cuda()) for x, target in batches(2)]
    for x, target in data * 2:
        step(x, target)
    waits, made, before = _stream.synchronisations, _stream.allocations, gpu.memory_allocated()
    for x, target in data * 5:
        step(x, target)
        training.schedule.step()
    assert (_stream.synchronisations, _stream.allocations) == (waits, made)
    assert gpu.memory_allocated() == before


def test_inputs_on_the_host_go_through_page_locked_memory(gpu: Any, cupy: Any) -> None:
    from cupy import _stream

    step = gpu.graph(lambda x: x * 2, warmup=1)
    for _ in range(2):
        step(mg.ones(3, device="cpu"))
    waits, copies = _stream.synchronisations, _stream.asynchronous_copies
    y = step(mg.full((3,), 4.0, device="cpu"))
    assert (_stream.synchronisations, _stream.asynchronous_copies) == (waits, copies + 1)
    assert y.tolist() == [8, 8, 8]


@pytest.mark.parametrize("make", [optim.RMSprop, optim.NAdam, optim.Adagrad])
def test_optimisers_that_compute_with_the_host_s_numbers_say_so(gpu: Any, make: Any) -> None:
    training = Training(lambda p: make(p, lr=0.1), lambda o: optim.lr_scheduler.StepLR(o, 2))
    step = gpu.graph(training.step, training.optimizer, warmup=1)
    ((x, target),) = batches(1)
    step(x, target)
    with pytest.raises(
        GraphError, match=rf"{make.__name__} cannot be captured in a CUDA graph: .*SGD, Adam and AdamW can"
    ):
        step(x, target)


def test_a_parameter_that_was_replaced_is_noticed(gpu: Any) -> None:
    training = Training(lambda p: optim.SGD(p, lr=0.1), lambda o: optim.lr_scheduler.StepLR(o, 2))
    step = gpu.graph(training.step, training.optimizer, warmup=1)
    ((x, target),) = batches(1)
    for _ in range(3):
        step(x, target)
    training.model.load_state_dict(training.model.state_dict())  # writes in place
    step(x, target)
    training.model.cpu().cuda()
    with pytest.raises(GraphError, match=r"a parameter of shape \[6, 1, 3, 3\] has been replaced .* call reset\(\)"):
        step(x, target)
    step.reset()
    assert step(x, target)[0].item() > 0


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (lambda x: str(x), "asks for values"),
        (lambda x: f"{x.sum():.3f}", "asks for values"),
        (lambda x: x.tolist(), "asks for values"),
        (lambda x: x[x > 0], "waits for the GPU"),
        (lambda x: mg.rand_like(x), "of random numbers, only dropout's are drawn on the GPU"),
        (lambda x: mg.zeros(3).to("cpu"), "asks for values"),
        (lambda x: mg.ones(3, device="cpu").cuda(), "copies from the host"),
    ],
)
def test_what_cannot_be_captured_says_so(gpu: Any, what: Any, text: str) -> None:
    step = gpu.graph(lambda x: (what(x), x * 2)[1], warmup=1)
    x = mg.ones(3, device="cuda")
    step(x)
    with pytest.raises(GraphError, match=text):
        step(x)
    assert (x * 2).tolist() == [2, 2, 2]  # the device goes on


def test_an_error_of_the_step_s_own_comes_through(gpu: Any) -> None:
    def step(x: Any) -> Any:
        if gpu.is_current_stream_capturing():
            raise ZeroDivisionError("mine")
        return x

    captured = gpu.graph(step, warmup=1)
    captured(mg.ones(2))
    with pytest.raises(ZeroDivisionError, match="mine"):
        captured(mg.ones(2))
    assert not gpu.is_current_stream_capturing()
