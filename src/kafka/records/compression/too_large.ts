/** Returns the error of what becomes larger than allowed. */
export function tooLarge(most: number): RangeError {
  return new RangeError(`it would have more than ${most} bytes when decompressed`);
}
