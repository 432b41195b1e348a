"""The benchmarks of scripts/bench/topic.ts, written for the Python reference's Topic.

Each returns the seconds from its first message to its last one.
"""

from asyncio import CancelledError, Event, create_task
from os import environ
from time import perf_counter
from uuid import uuid4

from slipstream import Topic, handle, stream
from slipstream.codecs import JsonCodec

BATCH = 1_000


def topic(name):
    return Topic(name, {
        'bootstrap_servers': environ['KAFKA_BROKERS'],
        'auto_offset_reset': 'earliest',
        'group_id': str(uuid4()),
    }, codec=JsonCodec())


async def timed(source, handler, sinks, last):
    """Stream until `last` is set."""
    handle(source, sink=sinks)(handler)
    running = create_task(stream())
    await last.wait()
    ended = perf_counter()
    running.cancel()
    try:
        await running
    except CancelledError:
        pass
    return ended


async def consume(count):
    seeded = topic(f'bench-{count}')
    seen, started, last = 0, 0, Event()

    def add(n):
        nonlocal seen, started
        started = started or perf_counter()
        seen += 1
        if seen == count:
            last.set()

    ended = await timed(seeded, lambda msg: msg.value['n'], [add], last)
    return ended - started


async def sink(count):
    out = topic(f'bench-{uuid4()}')
    started, last = 0, Event()

    async def values():
        nonlocal started
        for i in range(count):
            yield {'i': i, 'name': 'hello world', 'n': i % BATCH}
            started = started or perf_counter()

    async def write(pair):
        await out(*pair)
        if pair[1]['i'] == count - 1:
            last.set()

    ended = await timed(values(), lambda value: (str(value['n']), value), [write], last)
    return ended - started


benchmarks = {
    'topic/consume': consume,
    'topic/sink': sink,
}
