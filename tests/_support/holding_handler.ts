/** Handles `messages` messages, then waits until the test lets it go on. */
export function holdingAfter(messages: number) {
  const release = Promise.withResolvers<void>();
  let seen = 0;
  return {
    release: release.resolve,
    handler: async () => {
      if (++seen > messages) await release.promise;
    },
  };
}
