// The first module that is evaluated, whichever entry is imported.

if (typeof Deno === "undefined") {
  throw new Error(
    "Cannot run Slipstream here: it needs Deno 2.9 or newer, and runs in neither Node nor Bun; " +
      "with npm alone: npx --yes deno run app.ts",
  );
}
