import type { Cache, CacheOptions } from "../../mod.ts";

/** What some layouts cannot do. */
export type Capability = "eviction" | "sizes" | "large transactions";

/** A layout under test. */
export interface CacheLayout {
  /** Its name, which begins the names of the tests. */
  name: string;
  /** Opens an empty cache; closing it leaves nothing behind. */
  open<V = unknown>(options?: CacheOptions<V>): Promise<Cache<V>>;
  /** What it can do beyond the contract. */
  capabilities: readonly Capability[];
  /** Reported as ignored, as what it needs is not there. */
  ignore?: boolean;
}

/** What the tests of a contract are written with. */
export interface CacheFixture extends Pick<CacheLayout, "open"> {
  /** Registers a test. */
  test: (what: string, fn: () => Promise<void>) => void;
  /** Whether the layout has a capability. */
  can: (capability: Capability) => boolean;
}

/** Makes the fixture of a layout. */
export function testOnLayout(
  { name, open, capabilities, ignore = false }: CacheLayout,
): CacheFixture {
  return {
    open,
    test: (what, fn) => Deno.test({ name: `Cache (${name}) ${what}`, ignore, fn }),
    can: (capability) => capabilities.includes(capability),
  };
}
