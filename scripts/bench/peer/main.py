"""Answers each line {"name", "count"} on stdin with a line {"seconds"}: one round of that benchmark."""

import json
import logging
import sys
from asyncio import run

import cache
import checkpoint
import delivery
import flow
import topic
from slipstream import Conf

benchmarks = (
    flow.benchmarks | cache.benchmarks | checkpoint.benchmarks | topic.benchmarks
    | delivery.benchmarks
)

logging.getLogger('aiokafka').setLevel(logging.ERROR)  # it warns of each topic that is new


def forget_bindings():
    """Empty the reference's process-wide registry, so that every round stands alone."""
    Conf.iterables.clear()
    Conf.pipes.clear()
    Conf.pubsub._topics.clear()


for line in sys.stdin:
    request = json.loads(line)
    forget_bindings()
    seconds = run(benchmarks[request['name']](request['count']))
    print(json.dumps({'seconds': seconds}), flush=True)
