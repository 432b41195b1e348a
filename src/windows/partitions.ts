import type { Ticking, TickingSource } from "../flow/stage/ticking.ts";

/**
 * The partitions of the sources of a flow. They are numbered, so that windows know one kind of number: those of one
 * source have their own, those of a merge one for each (source, partition), whichever order the sources are merged in.
 */
export class Partitions {
  /** The names of the sources, in order; those of the same name are told apart by a number. */
  readonly names: readonly string[];
  /** The place of each source in that order. */
  readonly #places: readonly number[];
  readonly #ticking: Ticking;

  constructor(ticking: Ticking) {
    const named: string[] = [];
    for (const { name } of ticking.sources) {
      let free = name;
      for (let number = 2; named.includes(free); number++) free = `${name} ${number}`;
      named.push(free);
    }
    this.names = named.toSorted();
    this.#places = named.map((name) => this.names.indexOf(name));
    this.#ticking = ticking;
  }

  /** The number of a partition of a source. */
  of(source: number, partition: number): number {
    return partition * this.#places.length + this.#places[source]!;
  }

  /** The source of a number, and the partition there. */
  placeOf(number: number): { readonly source: TickingSource; readonly partition: number } {
    const count = this.#places.length;
    const source = this.#ticking.sources[this.#places.indexOf(number % count)]!;
    return { source, partition: Math.floor(number / count) };
  }

  /** What a partition is called in an `id`. */
  nameOf(number: number): string {
    const count = this.#places.length;
    if (count === 1) return String(number);
    const name = encodeURIComponent(this.names[number % count]!);
    return `${name}:${Math.floor(number / count)}`;
  }

  /** Those that are read now. */
  get read(): number[] {
    const { sources } = this.#ticking;
    // A source without partitions is one: that of a merge is known before its first message.
    const none = sources.length > 1 ? [{ partition: 0 }] : [];
    return sources.flatMap(({ feed }, index) =>
      [...feed.parts?.() ?? none].map(({ partition }) => this.of(index, partition))
    );
  }

  /** For how long nothing has come of one, in milliseconds. */
  silence(number: number): number {
    const { source, partition } = this.placeOf(number);
    return source.silence(partition);
  }

  /** Returns whether everything known to be in it was handled, up to the window. */
  isReadToItsEnd(number: number): boolean {
    const { source, partition } = this.placeOf(number);
    return source.isReadToItsEnd(partition) && !this.isBehind(number);
  }

  /** Returns whether its source has ended. */
  hasEnded(number: number): boolean {
    return this.placeOf(number).source.exhausted;
  }

  /** True where sources are merged, and one of them has ended. */
  get someEnded(): boolean {
    const { sources } = this.#ticking;
    return sources.length > 1 && sources.some(({ exhausted }) => exhausted);
  }

  /** Returns whether messages of it are in flight before the window. */
  isBehind(number: number): boolean {
    return this.#ticking.concurrent?.admission.isBehind(number) ?? false;
  }
}
