import { assertThrows } from "@std/assert";
import { checkInternals } from "../../src/kafka/kafkajs/internals.ts"; // checks kafkajs itself, too

Deno.test("checkInternals() names all that a kafkajs lacks, of classes, objects and what is gone", () => {
  class Queue {
    pending = 0;
    check() {}
  }
  const there = {
    Queue: [Queue, "pending", "check"],
    response: [{ decode() {} }, "decode"],
  } as const;
  checkInternals(there);
  assertThrows(
    () =>
      checkInternals({
        Queue: [Queue, "check", "pend"],
        response: [{ decode() {} }, "parse"],
        gone: [undefined, "at", "all"],
      }),
    TypeError,
    "Cannot use this version of kafkajs, as it lacks Queue.pend, response.parse, gone.at, gone.all: use 2.2.4",
  );
});
