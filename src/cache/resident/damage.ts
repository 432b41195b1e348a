import type { CacheDamage } from "../errors.ts";

/** Findings that are told. */
const MAX_DETAILS = 20;

/** What is found to be damaged while a store is read. */
export class Damage implements CacheDamage {
  pages = 0;
  entries = 0;
  readonly details: string[] = [];

  /** Whether anything was found. */
  get found(): boolean {
    return this.details.length > 0;
  }

  /** Adds a finding. */
  add(detail: string, { pages = 0, entries = 0 }: { pages?: number; entries?: number } = {}): void {
    this.pages += pages;
    this.entries += entries;
    if (this.details.length < MAX_DETAILS) this.details.push(detail);
  }
}
