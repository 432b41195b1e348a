/** What the page knows of the app, and of its connection to it. */
export const page = {
  /** The last snapshot that was sent, with the problems and the topology; undefined before the first. */
  shown: undefined,
  arrivedAt: 0,
  connected: false,
  refused: false,
  /** Shows what is known. */
  render() {},
};

/** Where everything but the head is shown. */
export const main = document.getElementById("main");
