/** The environment variables that kafkajs reads when it is loaded. */
const VARIABLES = [
  "KAFKAJS_DEBUG_EXTENDED_PROTOCOL_BUFFERS",
  "KAFKAJS_DEBUG_PROTOCOL_BUFFERS",
  "KAFKAJS_LOG_LEVEL",
  "KAFKAJS_NO_PARTITIONER_WARNING",
  "NODE_ENV",
];

/**
 * Asks Deno for all that kafkajs needs to reach `brokers`, as Deno itself does when it is used: at a terminal it
 * prompts, elsewhere what was not allowed is missing.
 *
 * @throws {Deno.errors.NotCapable} If something is missing; names all of it, as the flags to add.
 */
export function askPermissions(brokers: readonly string[]): void {
  const variables = VARIABLES.filter((variable) => !allows({ name: "env", variable }));
  const hosts = brokers.filter((host) => !allows({ name: "net", host }));
  const flags = [
    ...(hosts.length > 0 ? [`--allow-net=${hosts.join()}`] : []),
    ...(variables.length > 0 ? [`--allow-env=${variables.join()}`] : []),
  ];
  if (flags.length === 0) return;
  throw new Deno.errors.NotCapable(`kafkajs lacks permissions: run again with ${flags.join(" ")}`);
}

/** Returns whether Deno allows something, or the user does who is prompted for it. */
export function allows(descriptor: Deno.PermissionDescriptor): boolean {
  try {
    return Deno.permissions.requestSync(descriptor).state === "granted";
  } catch {
    return true; // no host can have that name: connecting says so
  }
}
