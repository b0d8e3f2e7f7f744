"""no_grad and its relatives: as blocks, decorators, around generators, in threads and tasks."""

import asyncio
import threading

import pytest
import torch

import minigrad
from minigrad import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled


def recorded():
    return (minigrad.ones(1, requires_grad=True) * 2).requires_grad


def test_blocks_nest():
    with no_grad():
        assert not recorded()
        with enable_grad():
            assert recorded()
            with set_grad_enabled(False):
                assert not recorded()
            assert recorded()
        assert not recorded()
    assert recorded()


def test_an_exception_restores():
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0
    assert is_grad_enabled()


def test_one_mode_may_be_entered_again():
    mode = no_grad()
    with mode, mode:
        assert not recorded()
    assert recorded()


@pytest.mark.parametrize("ns", [minigrad, torch], ids=["minigrad", "torch"])
def test_decorators(ns):
    @ns.no_grad()
    def off():
        return ns.is_grad_enabled()

    @ns.no_grad
    def bare():
        return ns.is_grad_enabled()

    @ns.enable_grad()
    def on():
        return ns.is_grad_enabled()

    @ns.set_grad_enabled(False)
    def set_off():
        return ns.is_grad_enabled()

    @ns.inference_mode()
    def inferring():
        return ns.is_grad_enabled(), ns.is_inference_mode_enabled()

    @ns.no_grad()
    def countdown(n):
        return [ns.is_grad_enabled(), *(countdown(n - 1) if n else [])]

    assert (off(), bare(), set_off()) == (False, False, False)
    assert ns.is_grad_enabled()
    assert off.__name__ == "off"
    with ns.no_grad():
        assert on()
        assert not ns.is_grad_enabled()
    assert inferring() == (False, True)
    assert countdown(3) == [False] * 4
    assert ns.is_grad_enabled()


@pytest.mark.parametrize("ns", [minigrad, torch], ids=["minigrad", "torch"])
def test_generators_switch_at_every_step(ns):
    log = []

    @ns.no_grad()
    def steps():
        try:
            for i in range(3):
                log.append(ns.is_grad_enabled())
                got = yield i
                log.append(got)
        except KeyError:
            log.append("caught")
            yield "after"
        finally:
            log.append(("closed", ns.is_grad_enabled()))
        return "result"

    g = steps()
    assert next(g) == 0 and ns.is_grad_enabled()
    assert g.send("sent") == 1 and ns.is_grad_enabled()
    assert g.throw(KeyError()) == "after"
    g.close()
    assert log == [False, "sent", False, "caught", ("closed", False)]

    def outer():
        return (yield from steps())

    assert list(outer()) == [0, 1, 2]


def test_set_grad_enabled_works_at_once():
    set_grad_enabled(False)
    assert not recorded()
    set_grad_enabled(True)
    assert recorded()


def test_threads_have_their_own_switch():
    seen = []
    with no_grad():
        t = threading.Thread(target=lambda: seen.append(is_grad_enabled()))
        t.start()
        t.join()
    assert seen == [True]


def test_tasks_have_their_own_switch():
    async def off():
        with no_grad():
            await asyncio.sleep(0)
            return is_grad_enabled()

    async def on():
        await asyncio.sleep(0)
        return is_grad_enabled()

    async def both():
        return await asyncio.gather(off(), on())

    assert asyncio.run(both()) == [False, True]


def test_inference_mode():
    with inference_mode():
        assert minigrad.is_inference_mode_enabled() and not recorded()
        with inference_mode(False):
            assert not minigrad.is_inference_mode_enabled() and recorded()
    assert not minigrad.is_inference_mode_enabled() and recorded()


def test_backward_works_inside_no_grad():
    x = minigrad.ones(1, requires_grad=True)
    y = (x * 3).sum()
    with no_grad():
        y.backward()
    assert x.grad.tolist() == [3.0]


def test_views_made_in_no_grad_do_not_enter_the_graph():
    x = minigrad.ones(3, requires_grad=True)
    with no_grad():
        v = x[1:]
        v += 1
    assert not v.requires_grad and x.tolist() == [1.0, 2.0, 2.0] and x.is_leaf
