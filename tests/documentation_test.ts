import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

Deno.test("documentation: every exported symbol and field of the program has a docstring", async () => {
  const { stdout } = await new Deno.Command("git", { args: ["ls-files", "main.ts", "src"], cwd: ROOT })
    .output();
  const files = new TextDecoder().decode(stdout).split("\n").filter((path) => /(?<!\.d)\.ts$/.test(path));
  const lint = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...files],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(lint.stderr) + new TextDecoder().decode(lint.stdout);
  // A lint that did not run finds nothing either.
  const found = /^error: Found (\d+) documentation lint errors?\.$/m.exec(text)?.[1];
  const places = [...text.matchAll(/^ *--> (\S+)$/gm)].map(([, place]) => place ?? "");
  if (found === undefined) assertEquals([lint.code, /^Checked \d+ files?$/m.test(text)], [0, true], text);
  else assertEquals(places.length, Number(found), text);
  // Types of packages that ours refer to are linted along with them; only places in our own tree count.
  const ours = places.filter((place) => place.startsWith(ROOT)).map((place) => place.slice(ROOT.length));
  assertEquals(ours, []);
  assertEquals(files.length > 50, true, "no file was linted");
});
