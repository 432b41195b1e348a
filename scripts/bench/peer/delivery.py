"""The benchmark of scripts/bench/delivery.ts, written for the Python reference.

It reads the messages that the other side has sent, as many of them as it is asked for, and returns the
seconds from its first message to its last one.
"""

from asyncio import Event
from shutil import rmtree
from tempfile import mkdtemp
from time import perf_counter
from uuid import uuid4

from slipstream import Cache
from topic import timed, topic

SEEDED = 'bench-300000'


async def count(messages):
    path = mkdtemp()
    cache = Cache(f'{path}/db')
    out = topic(f'bench-{uuid4()}')
    seen, started, last = 0, 0, Event()

    def add(msg):
        nonlocal started
        started = started or perf_counter()
        n = (cache[msg.key] or 0) + 1
        cache[msg.key] = n
        return msg.key, n

    async def write(pair):
        nonlocal seen
        await out(*pair)
        seen += 1
        if seen == messages:
            last.set()

    try:
        ended = await timed(topic(SEEDED), add, [write], last)
        assert sum(cache.values()) >= messages
        return ended - started
    finally:
        cache.close()
        rmtree(path)


benchmarks = {
    'delivery/count': count,
}
