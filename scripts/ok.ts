/**
 * Everything that must hold before a commit, beside the tests: `deno task ok`.
 *
 * Prints one line a step with the time it took, and what a step said when it failed.
 */
import config from "../deno.json" with { type: "json" };

const entries = Object.values(config.exports);

/** The steps; the rules of `scripts/lint` check the architecture. */
const steps: Record<string, string[]> = {
  "lock file up to date": ["install", "--frozen"],
  "format": ["fmt", "--check"],
  "lint, direction of imports": ["lint"],
  "types": ["check", "--frozen", "mod.ts", "src", "tests", "examples", "scripts"],
  "docs on every export": ["doc", "--lint", ...entries],
  "examples in docs": ["test", "--doc", "--allow-all", "README.md", "docs", "mod.ts", "src"],
  "publish, dry run": ["publish", "--dry-run", "--allow-dirty"],
};

async function run(name: string, args: string[]): Promise<boolean> {
  const started = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  console.log(`${success ? "ok    " : "FAILED"} ${seconds} s  ${name}`);
  const tests = /^.*\| \d+ passed.*$/m.exec(new TextDecoder().decode(stdout));
  if (success && tests !== null) console.log(tests[0]);
  if (!success) {
    await Deno.stdout.write(stdout);
    await Deno.stdout.write(stderr);
    console.log(`\nRun it alone: deno ${args.join(" ")}\n`);
  }
  return success;
}

let failed = 0;
for (const [name, args] of Object.entries(steps)) {
  if (!(await run(name, args))) failed++;
}
if (failed > 0) Deno.exit(1);
