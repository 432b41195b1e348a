/** Credentials in texts: none is shown in an error, a status event or printed options. */

/** `scheme://user:password@`; what is before the last `@` of the host's part. */
const IN_URL = /\b([a-z][a-z\d+.-]*:\/\/)[^\s/?#'"<>]*@/gi;
/** `user:password@host:port`, as addresses of brokers are sometimes written. */
const IN_ADDRESS = /[^\s/'"<>:@]+:[^\s/'"<>]+@(?=[\w.[\]:-]*:\d)/g;
/** `?token=…`, and other parameters of a URL that are named as secrets are. */
const IN_QUERY =
  /([?&][\w.-]*(?:token|key|secret|passw(?:or)?d|pwd|sig(?:nature)?|auth|credentials?)[\w.-]*=)[^\s&#'"<>)]+/gi;

/** Returns `text` with `***` for the credentials in the URLs and the addresses in it. */
export function redactText(text: string): string {
  return text.replace(IN_URL, "$1***@").replace(IN_ADDRESS, "***@").replace(IN_QUERY, "$1***");
}

/** Masks an error that was made for a call of ours, and its causes: what was called has put the address into it. */
export function redactError(error: unknown, depth = 8): void {
  if (!(error instanceof Error) || depth === 0) return;
  for (const name of ["message", "stack"] as const) {
    const text = error[name];
    const masked = text && redactText(text);
    if (masked !== text) {
      Object.defineProperty(error, name, { value: masked, configurable: true, writable: true });
    }
  }
  redactError(error.cause, depth - 1);
}

/** A value that is not what was wanted, in words: what is in an object may be a secret. */
export function describe(value: unknown): string {
  if (typeof value === "string") return `the string ${JSON.stringify(redactText(value))}`;
  if (typeof value === "object" && value !== null) {
    return `an object of class ${value.constructor?.name ?? "null"}`;
  }
  return typeof value === "function" ? `the function ${value.name}` : String(value);
}
