/**
 * Defaults for all topics; what a topic is given itself counts more, and passwords are never printed.
 *
 * ```sh
 * deno run examples/conf.ts
 * ```
 *
 * ```text
 * { brokers: [ "localhost:29092" ], groupId: "default-demo" }
 * {
 *   brokers: [ "localhost:29091" ],
 *   groupId: "demo",
 *   ssl: true,
 *   sasl: { mechanism: "plain", username: "myuser", password: "***" }
 * }
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { app } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";

app.configure({ brokers: ["localhost:29091"], groupId: "default-demo" });

const topic1 = new Topic("emoji", { brokers: ["localhost:29092"] });

app.configure({
  ssl: true,
  sasl: { mechanism: "plain", username: "myuser", password: "mypass" },
});

const topic2 = new Topic("conf", { groupId: "demo" });

console.log(topic1.config);
console.log(topic2.config);
