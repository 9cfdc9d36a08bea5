/**
 * Benchmarks of the real program: `deno task bench NAME` runs `NAME_bench.ts`.
 *
 * @module
 */

/** What a benchmark's file exports. */
interface Bench {
  /** Measures and prints. */
  run(): Promise<void>;
}

const BENCHES = ["pull", "job", "check"];

const [name = ""] = Deno.args;
if (!BENCHES.includes(name)) {
  console.error(
    `${name === "" ? "No benchmark is named" : `Cannot run benchmark '${name}'`}: wanted one of ${
      BENCHES.join(", ")
    }`,
  );
  Deno.exit(2);
}
const bench: Bench = await import(new URL(`./${name}_bench.ts`, import.meta.url).href);
await bench.run();
