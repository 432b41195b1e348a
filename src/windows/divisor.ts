/** Returns the greatest common divisor of two positive integers. */
export function divisorOf(a: number, b: number): number {
  return b === 0 ? a : divisorOf(b, a % b);
}
