/**
 * Numbers the partitions of the sources of a flow, so that windows know one kind of number: those of one source have
 * their own, those of a merge one for each (source, partition), whichever order the sources are merged in.
 */
export class PartitionNumbers {
  /** The names of the sources, in order. */
  readonly names: readonly string[];
  /** The place of each source in that order. */
  readonly #places: readonly number[];

  /** Takes the names of the sources as they are merged; those of the same name are told apart by a number. */
  constructor(names: readonly string[]) {
    const named: string[] = [];
    for (const name of names) {
      let free = name;
      for (let number = 2; named.includes(free); number++) free = `${name} ${number}`;
      named.push(free);
    }
    this.names = named.toSorted();
    this.#places = named.map((name) => this.names.indexOf(name));
  }

  /** The number of a partition of a source. */
  of(source: number, partition: number): number {
    return partition * this.#places.length + this.#places[source]!;
  }

  /** The source of a number, and the partition there. */
  placeOf(number: number): { readonly source: number; readonly partition: number } {
    const count = this.#places.length;
    return { source: this.#places.indexOf(number % count), partition: Math.floor(number / count) };
  }

  /** What a partition is called in an `id`. */
  nameOf(number: number): string {
    const count = this.#places.length;
    if (count === 1) return String(number);
    const name = encodeURIComponent(this.names[number % count]!);
    return `${name}:${Math.floor(number / count)}`;
  }
}
