/** A TransformStream that passes everything on. */
export function identity<T>(): TransformStream<T, T> {
  return new TransformStream<T, T>({
    transform: (message, controller) => controller.enqueue(message),
  });
}
