import { assertEquals } from "@std/assert";
import { README, withTables } from "./readme_tables.ts";

Deno.test("README: its tables are those of the code (deno run -A tests/readme_tables.ts writes them)", async () => {
  const readme = await Deno.readTextFile(README);
  assertEquals(words(readme), words(withTables(readme)));
});

Deno.test("README: names only files that exist", async () => {
  const readme = await Deno.readTextFile(README);
  const paths = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path ?? "");
  for (const path of paths) await Deno.stat(new URL(`../${path}`, import.meta.url));
});

Deno.test("VERSION: is that of deno.json", async () => {
  const { VERSION } = await import("../src/cli/version.ts");
  const config = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  assertEquals(VERSION, config.version);
});

/** The formatter has its own mind about line breaks and column widths. */
function words(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/-{3,}/g, "---");
}
