/**
 * Loaded before `main.ts`: lets it find itself compiled and installed at STANDALONE_PATH, so that what `deno compile`
 * would make can be run where its runtime part cannot be had.
 *
 * @module
 */
const path = Deno.env.get("STANDALONE_PATH");
if (path === undefined) {
  throw new Error("Cannot stand in for the compiled program: STANDALONE_PATH is not set");
}
Object.defineProperty(Deno, "build", { value: { ...Deno.build, standalone: true } });
Object.defineProperty(Deno, "execPath", { value: () => path });
