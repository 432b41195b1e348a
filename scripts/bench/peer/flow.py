"""The benchmarks of scripts/bench/flow.ts, written for the Python reference.

Each returns the seconds from the start of `stream()` until the last message has reached its sink; the
50 ms that the reference sleeps at its end are not counted.
"""

from asyncio import CancelledError, Event, create_task
from time import perf_counter

from slipstream import Conf, handle, stream


class Sum:
    """Adds up what the sinks get."""

    def __init__(self):
        self.total = 0

    def add(self, n):
        self.total += n

    async def add_async(self, n):
        self.total += n

    def check(self, expected):
        if self.total != expected:
            raise AssertionError(f'the sinks got {self.total}, not {expected}')


def double(n):
    return n * 2


async def double_async(n):
    return n * 2


def double_generator(n):
    yield n * 2


async def timed(numbers, handlers, sink):
    """Stream the numbers through the handlers; the last is done when the source is asked for more."""
    ended = 0.0

    async def source():
        nonlocal ended
        for n in numbers:
            yield n
        ended = perf_counter()

    bound = source()
    for handler in handlers:
        handle(bound, sink=[sink])(handler)
    started = perf_counter()
    await stream()
    return ended - started


async def plain(count):
    sums = Sum()
    seconds = await timed(range(count), [double], sums.add)
    sums.check(count * (count - 1))
    return seconds


async def asynchronous(count):
    sums = Sum()
    seconds = await timed(range(count), [double_async], sums.add_async)
    sums.check(count * (count - 1))
    return seconds


async def generator(count):
    sums = Sum()
    seconds = await timed(range(count), [double_generator], sums.add)
    sums.check(count * (count - 1))
    return seconds


async def array(count):
    """Take a list; the reference has no such source, so an asynchronous generator hands it out."""
    sums = Sum()
    seconds = await timed(list(range(count)), [double], sums.add)
    sums.check(count * (count - 1))
    return seconds


async def fanout(count):
    sums = Sum()
    # Four functions: the reference knows handlers by identity.
    handlers = [lambda n, by=by: n * by for by in (1, 2, 3, 4)]
    seconds = await timed(range(count), handlers, sums.add)
    sums.check(5 * count * (count - 1))
    return seconds


class Proxy:
    """The Proxy that the reference documents and release 1.0.5 lacks: a topic of its own publish/subscribe."""

    async def __call__(self, message):
        await Conf.pubsub.apublish('proxy', message)

    async def __aiter__(self):
        async for message in Conf.pubsub.iter_topic('proxy'):
            yield message


async def proxy(count):
    between = Proxy()
    total = seen = 0
    last = Event()

    def add(n):
        nonlocal total, seen
        total += n
        seen += 1
        if seen == count:
            last.set()

    async def source():
        for n in range(count):
            yield n

    # The reader first: the reference loses what is sent before the reader has started.
    handle(between, sink=[add])(lambda n: n + 1)
    handle(source(), sink=[between])(double)
    started = perf_counter()
    running = create_task(stream())
    await last.wait()
    seconds = perf_counter() - started

    running.cancel()
    try:
        await running
    except CancelledError:
        pass
    if total != count * (count - 1) + count:
        raise AssertionError(f'the sink got {total}')
    return seconds


benchmarks = {
    'flow/plain': plain,
    'flow/async': asynchronous,
    'flow/generator': generator,
    'flow/array': array,
    'flow/fanout': fanout,
    'flow/proxy': proxy,
}
