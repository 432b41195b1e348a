import { deserialize, NotAsWrittenError, serialize, sumOf } from "./sealed.ts";

/** Where a value in pieces is: its random id, how many rows it has, and the checksum of all. */
export type PieceList = readonly [id: string, count: number, sum: number];

/** Values of a larger estimated size are stored in pieces. */
export const MAX_INLINE_BYTES = 24_000;

/** Bytes of a piece; Deno KV takes 65,536 with the head of a `Uint8Array`. */
const PIECE_BYTES = 64_000;

/** Cuts a value into pieces under a new random id. */
export function toPieces(value: unknown): { list: PieceList; pieces: Uint8Array[] } {
  const bytes = serialize(value);
  const id = crypto.randomUUID();
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    pieces.push(bytes.subarray(at, at + PIECE_BYTES));
  }
  return { list: [id, pieces.length, sumOf(bytes, id)], pieces };
}

/**
 * Puts a value together from its pieces.
 *
 * @throws {NotAsWrittenError} If a piece is missing or not as it was written.
 */
export function fromPieces(list: PieceList, pieces: readonly unknown[]): unknown {
  const [id, count, sum] = list;
  const found = pieces.filter((piece) => piece instanceof Uint8Array);
  if (found.length !== count) {
    throw new NotAsWrittenError(`${count - found.length} of its ${count} pieces are missing`);
  }
  const bytes = new Uint8Array(found.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of found) {
    bytes.set(piece, at);
    at += piece.length;
  }
  if (sumOf(bytes, id) !== sum) throw new NotAsWrittenError("the checksum of its pieces is wrong");
  return deserialize(bytes);
}
