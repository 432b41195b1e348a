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


def run(source, size, messages, expected):
    with TemporaryDirectory() as state:
        app = Application(
            broker_address=environ['KAFKA_BROKERS'],
            consumer_group=str(uuid4()),
            auto_offset_reset='earliest',
            state_dir=state,
            use_changelog_topics=False,
            loglevel='ERROR',
        )
        started, ended, counted, results = 0, 0, 0, {}

        def begin(_):
            nonlocal started
            started = started or perf_counter()

        def add(result, key, _timestamp, _headers):
            nonlocal ended, counted
            window = (key, result['start'])
            # After a rebalance it gives some once more.
            counted += result['n'] - results.get(window, 0)
            results[window] = result['n']
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
        app.run(timeout=60)
        if counted != messages or len(results) != expected:
            raise ValueError(f'{counted} of {messages} messages were in {len(results)} windows')
        return ended - started


for line in sys.stdin:
    request = json.loads(line)
    arguments = (request[name] for name in ('source', 'size', 'messages', 'results'))
    print(json.dumps({'seconds': run(*arguments)}), flush=True)
