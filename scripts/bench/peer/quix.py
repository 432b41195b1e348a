"""Tumbling windows with Quix Streams: a count and a sum for each key and window, with state on disk.

Answers each line {"source", "size", "messages", "results"} on stdin with a line {"seconds"}: from the first message to
the last result. It is given what makes it fastest: no changelog topic, no transactions, and windows that close by any
message of their partition.
"""

import json
import sys
from os import environ
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import uuid4

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Sum


def window(source, size, messages):
    with TemporaryDirectory() as state:
        app = Application(
            broker_address=environ['KAFKA_BROKERS'],
            consumer_group=str(uuid4()),
            auto_offset_reset='earliest',
            state_dir=state,
            use_changelog_topics=False,
            loglevel='ERROR',
        )
        started, ended, counted, results = 0, 0, 0, set()

        def begin(_):
            nonlocal started
            started = started or perf_counter()

        def add(result, key, _timestamp, _headers):
            nonlocal ended, counted
            results.add((key, result['start']))
            counted += result['n']
            if counted == messages:
                ended = perf_counter()
                app.stop()

        (
            app.dataframe(app.topic(source, value_deserializer='json'))
            .update(begin)
            .tumbling_window(duration_ms=size)
            .agg(n=Count(), total=Sum('amount'))
            .final(closing_strategy='partition')
            .update(add, metadata=True)
        )
        app.run()
        return ended - started, len(results)


for line in sys.stdin:
    request = json.loads(line)
    seconds, results = window(request['source'], request['size'], request['messages'])
    if results != request['results']:
        raise ValueError(f'There are {results} windows of {request["results"]}')
    print(json.dumps({'seconds': seconds}), flush=True)
