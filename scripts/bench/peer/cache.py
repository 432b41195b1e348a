"""The benchmarks of scripts/bench/cache.ts, written for the Python reference's Cache.

Each returns the seconds of what is measured; making and removing the files is not.
"""

from shutil import rmtree
from tempfile import mkdtemp
from time import perf_counter

from flow import timed
from slipstream import Cache

LARGE = 1024 * 1024 * 1024
KEYS = 100_000


def small(n):
    return {'id': n, 'name': f'entry {n}', 'ok': n % 2 == 0}


def on_path(work):
    async def benchmark(count):
        path = mkdtemp()
        cache = Cache(f'{path}/db', target_table_size=LARGE)
        try:
            return await work(cache, count)
        finally:
            cache.close()
            rmtree(path)
    return benchmark


def filled(work):
    async def benchmark(cache, count):
        for n in range(count):
            cache[n] = small(n)
        cache.db.flush()
        started = perf_counter()
        await work(cache, count)
        return perf_counter() - started
    return on_path(benchmark)


async def sink(cache, count):
    seconds = await timed(range(count), [lambda n: (n % KEYS, small(n))], cache)
    started = perf_counter()
    cache.db.flush()
    return seconds + perf_counter() - started


async def put(cache, count):
    started = perf_counter()
    for n in range(count):
        cache[n] = small(n)
    cache.db.flush()
    return perf_counter() - started


async def get(cache, count):
    assert sum(cache[n]['id'] for n in range(count)) == count * (count - 1) // 2


async def asof(cache, count):
    total = 0
    for n in range(count):
        for value in cache.values(backwards=True, from_key=n):
            total += value['id']
            break
    assert total == count * (count - 1) // 2


async def scan(cache, count):
    assert sum(1 for _ in cache.items()) == count


async def transaction(cache, count):
    for _ in range(count):
        async with cache.transaction(0):
            value = cache[0]
            cache[0] = {'id': value['id'] + 1, 'name': 'counter', 'ok': True}
    assert cache[0]['id'] == count


benchmarks = {
    'cache/put': on_path(put),
    'cache/get': filled(get),
    'cache/asof': filled(asof),
    'cache/scan': filled(scan),
    'cache/transaction': filled(transaction),
    'cache/sink': on_path(sink),
}
