import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The text of every test file, without what the formatter may change. */
async function testTexts(directory: string): Promise<string> {
  let texts = "";
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) texts += await testTexts(path);
    else if (/\.ts$/.test(entry.name)) texts += await Deno.readTextFile(path);
  }
  return texts;
}

Deno.test("docs/registry-client.md: every row names a test that exists, and no client is ahead", async () => {
  const table = (await Deno.readTextFile(`${ROOT}/docs/registry-client.md`)).split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (?:feature|-)/.test(line))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assert(table.length > 80);
  const texts = await testTexts(`${ROOT}/tests`);
  for (const [feature, ...cells] of table) {
    assertEquals([cells.length, cells[5]], [7, "Y"], feature);
    const name = cells[6]?.replace(/^`(.*)`$/, "$1") ?? "";
    // a table of cases declares its tests with the prefix in another file
    const own = name.replace(/^RegistryClient: /, "");
    assert(
      texts.includes(`"${own}"`) || texts.includes(`: ${own}"`) || texts.includes("`" + own + "`") ||
        texts.includes(`"${name}"`),
      `${feature}: '${name}'`,
    );
  }
});
