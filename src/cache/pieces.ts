import v8 from "node:v8";

/** Where a value in pieces is: its random id, and how many rows it has. */
export type PieceList = readonly [id: string, count: number];

/** Values of a larger estimated size are stored in pieces. */
export const MAX_INLINE_BYTES = 24_000;

/** Bytes of a piece; Deno KV takes 65,536 with the head of a `Uint8Array`. */
const PIECE_BYTES = 64_000;

/** Cuts a value into pieces under a new random id. */
export function toPieces(value: unknown): { list: PieceList; pieces: Uint8Array[] } {
  const bytes = v8.serialize(value);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    // A copy: storing a view stores the whole buffer behind it.
    pieces.push(new Uint8Array(bytes.subarray(at, at + PIECE_BYTES)));
  }
  return { list: [crypto.randomUUID(), pieces.length], pieces };
}

/**
 * Puts a value together from its pieces.
 *
 * @throws {TypeError} If a piece is missing.
 */
export function fromPieces(list: PieceList, pieces: readonly (Uint8Array | undefined)[]): unknown {
  const [id, count] = list;
  const found = pieces.filter((piece) => piece !== undefined);
  if (found.length !== count) {
    throw new TypeError(
      `${count - found.length} of ${count} pieces of the value ${id} are missing`,
    );
  }
  const bytes = new Uint8Array(found.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of found) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return v8.deserialize(bytes);
}
