/**
 * Benchmarks of the real program: `deno task bench NAME`.
 *
 * @module
 */

/** Loaded only when asked for. */
const BENCHES: Readonly<Record<string, () => Promise<{ readonly run: () => Promise<void> }>>> = {
  pull: () => import("./pull_bench.ts"),
  job: () => import("./job_bench.ts"),
};

const [name = ""] = Deno.args;
const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (load === undefined) {
  console.error(`Cannot run benchmark '${name}': wanted one of ${Object.keys(BENCHES).join(", ")}`);
  Deno.exit(2);
}
await (await load()).run();
