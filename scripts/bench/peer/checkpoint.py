"""The benchmark of scripts/bench/checkpoint.ts, written for the Python reference."""

from datetime import datetime, timedelta
from asyncio import create_task, CancelledError, Event
from shutil import rmtree
from tempfile import mkdtemp
from time import perf_counter

from slipstream import Cache, handle, stream
from slipstream.checkpointing import Checkpoint, Dependency

PER_DEPENDENCY = 10
START = datetime(2025, 1, 1)


async def events(count, step):
    for offset in range(count):
        yield offset, START + timedelta(milliseconds=offset * step)


def emit(count):
    """A pulse for every message of the dependent, a heartbeat for every tenth; kept in a Cache."""
    async def benchmark():
        folder = mkdtemp()
        cache = Cache(f'{folder}/db')
        dependency = events(count // PER_DEPENDENCY, PER_DEPENDENCY)
        dependent = events(count, 1)
        checkpoint = Checkpoint(
            'bench',
            dependent=dependent,
            dependencies=[Dependency('source', dependency)],
            cache=cache,
        )
        stored = answered = 0
        done = Event()

        def store(_):
            nonlocal stored
            stored += 1

        def answer(_):
            nonlocal answered
            answered += 1
            if answered == count:
                done.set()

        @handle(dependency, sink=[store])
        async def dependency_handler(message):
            _, time = message
            await checkpoint.heartbeat(time)
            return time

        @handle(dependent, sink=[answer])
        async def dependent_handler(message):
            offset, time = message
            await checkpoint.check_pulse(time, offset=offset)
            return time

        started = perf_counter()
        task = create_task(stream())
        await done.wait()
        seconds = perf_counter() - started
        task.cancel()
        try:
            await task
        except CancelledError:
            pass
        cache.close()
        rmtree(folder)
        return seconds
    return benchmark()


benchmarks = {'checkpoint/emit': emit}
