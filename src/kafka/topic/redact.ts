import { redactText } from "../../redact.ts";

const SECRETS = new Set(["password", "passphrase", "key", "oauthBearerProvider"]);
const HIDDEN = new Set(["app", "codec", "keyCodec", "broker", "onStatus"]);

/** Returns options as they may be printed: passwords, keys and tokens as `***`, without objects that do things. */
export function redactOptions(options: object): Record<string, unknown> {
  const shown = Object.entries(options).filter(([name]) => !HIDDEN.has(name));
  return Object.fromEntries(shown.map(([name, value]) => [name, mask(value)]));
}

function mask(value: unknown): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(mask);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, SECRETS.has(name) ? "***" : mask(inner)]),
  );
}
