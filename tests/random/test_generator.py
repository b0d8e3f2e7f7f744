"""The generator: seeds, places in the stream, saved states, threads, forks. The oracle is PyTorch."""

import copy
import os
import pickle
import threading

import numpy as np
import pytest
import torch

import minigrad
from minigrad import random as mr
from minigrad.random import Generator, default_generator
from minigrad.random.distributions import normal, uniform
from minigrad.random.generator import DEFAULT_SEED


def torch_bytes(generator):
    return generator.get_state().numpy()


def our_bytes(generator):
    return generator.get_state().numpy()


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32, 2**32 + 5, 2**53, 2**63, 2**64 - 1, -1, -(2**31), -(2**63)])
def test_every_seed_starts_pytorchs_stream(seed):
    ours, theirs = Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    assert ours.initial_seed() == theirs.initial_seed()
    np.testing.assert_array_equal(uniform(700, generator=ours), torch.rand(700, generator=theirs).numpy())


def test_a_new_generator_has_pytorchs_default_seed():
    assert Generator().initial_seed() == torch.Generator().initial_seed() == DEFAULT_SEED
    assert uniform(1, generator=Generator()) == torch.rand(1, generator=torch.Generator()).numpy()


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_a_seed_beyond_64_bits_is_refused(seed):
    generator = Generator().manual_seed(3)
    with pytest.raises(RuntimeError, match="Overflow when unpacking long"):
        generator.manual_seed(seed)
    assert generator.initial_seed() == 3


@pytest.mark.parametrize("seed", [1.5, "7", None, True])
def test_a_seed_that_is_no_integer_is_refused(seed):
    with pytest.raises(TypeError, match="expected an integer seed"):
        Generator().manual_seed(seed)


def test_seed_cannot_be_foreseen():
    a, b = Generator(), Generator()
    assert a.seed() != b.seed()
    assert a.initial_seed() != DEFAULT_SEED
    assert uniform(1, generator=a) != uniform(1, generator=b)


@pytest.mark.parametrize("drawn", [0, 1, 2, 623, 624, 625, 1248, 5000])
def test_the_saved_state_is_pytorchs_byte_for_byte(drawn):
    ours, theirs = Generator().manual_seed(11), torch.Generator().manual_seed(11)
    uniform(drawn, generator=ours), torch.rand(drawn, generator=theirs)
    np.testing.assert_array_equal(our_bytes(ours), torch_bytes(theirs))


def test_the_kept_half_of_a_pair_is_part_of_the_state():
    ours, theirs = Generator().manual_seed(11), torch.Generator().manual_seed(11)
    normal(3, generator=ours), torch.randn(3, generator=theirs)
    np.testing.assert_array_equal(our_bytes(ours), torch_bytes(theirs))
    ours.manual_seed(4)
    assert ours.next_normal is None


@pytest.mark.parametrize("drawn", [0, 3, 624, 700])
def test_states_travel_to_pytorch_and_back(drawn):
    theirs = torch.Generator().manual_seed(5)
    torch.randn(3, generator=theirs), torch.rand(drawn, generator=theirs)
    ours = Generator().set_state(theirs.get_state())
    assert ours.initial_seed() == 5
    np.testing.assert_array_equal(normal(5, generator=ours), torch.randn(5, generator=theirs).numpy())
    back = torch.Generator().set_state(torch.from_numpy(our_bytes(ours)))
    np.testing.assert_array_equal(uniform(9, generator=ours), torch.rand(9, generator=back).numpy())


def test_a_state_of_the_wrong_kind_changes_nothing():
    generator = Generator().manual_seed(1)
    state = our_bytes(generator)
    with pytest.raises(RuntimeError, match="size 5056 but found the input RNG state size to be 7"):
        generator.set_state(state[:7])
    with pytest.raises(TypeError, match="dtype uint8, but got float64"):
        generator.set_state(state.astype(float))
    for place, value in ((8, 0), (8, 200), (12, 0), (16, 9)):  # left, left, seeded, next
        broken = state.copy()
        broken[place] = value
        with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
            generator.set_state(broken)
    np.testing.assert_array_equal(our_bytes(generator), state)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)), Generator.clone_state])
def test_copies_go_on_from_the_same_place_apart(clone):
    generator = Generator("cuda").manual_seed(8)
    normal(3, generator=generator)
    twin = clone(generator)
    assert str(twin.device) == "cuda"
    np.testing.assert_array_equal(normal(20, generator=twin), normal(20, generator=generator))
    uniform(1, generator=twin)
    assert uniform(1, generator=twin) != uniform(1, generator=generator)


def test_the_shared_stream_is_pytorchs():
    assert mr.manual_seed(21) is default_generator
    torch.manual_seed(21)
    assert mr.initial_seed() == 21
    np.testing.assert_array_equal(uniform(5), torch.rand(5).numpy())
    state = mr.get_rng_state()
    assert isinstance(state, minigrad.Tensor) and state.dtype == minigrad.uint8
    np.testing.assert_array_equal(state.numpy(), torch.get_rng_state().numpy())
    first = uniform(4)
    mr.set_rng_state(state)
    np.testing.assert_array_equal(uniform(4), first)
    assert mr.seed() == mr.initial_seed()


def test_fork_rng_gives_the_stream_back():
    mr.manual_seed(2)
    expected = uniform(3)
    mr.manual_seed(2)
    with mr.fork_rng(devices=[]):
        uniform(100)
    np.testing.assert_array_equal(uniform(3), expected)
    mr.manual_seed(2)
    with pytest.raises(KeyError), mr.fork_rng():
        uniform(1)
        raise KeyError
    np.testing.assert_array_equal(uniform(3), expected)
    mr.manual_seed(2)
    with mr.fork_rng(enabled=False):
        uniform(3)
    assert uniform(1) != expected[0]


def test_a_draw_is_one_stretch_of_the_stream_in_every_thread():
    generator, size = Generator().manual_seed(0), 3000
    got = []

    def draw():
        for _ in range(20):
            part = uniform(size, generator=generator)
            got.append(part)

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream = uniform(size * 80, generator=Generator().manual_seed(0)).reshape(80, size)
    assert sorted(p.tobytes() for p in got) == sorted(p.tobytes() for p in stream)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_draws_though_a_thread_held_the_lock():
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with default_generator.lock:
            inside.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(30)
    child = os.fork()
    if child == 0:
        worker = threading.Thread(target=lambda: uniform(3), daemon=True)
        worker.start()
        worker.join(10)
        os._exit(1 if worker.is_alive() else 0)
    leave.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_state_may_be_bytes_in_an_array_too():
    generator = Generator().manual_seed(6)
    state = our_bytes(generator)
    first = uniform(3, generator=generator)
    np.testing.assert_array_equal(uniform(3, generator=generator.set_state(state)), first)
    np.testing.assert_array_equal(uniform(3, generator=generator.set_state(torch.from_numpy(state))), first)


def test_repr_names_device_and_seed():
    assert repr(Generator().manual_seed(3)) == "<minigrad.Generator device='cpu' initial_seed=3>"
