import { assertEquals } from "@std/assert";
import { dirname, join, relative } from "node:path/posix";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Files that join rooms: the story and its chapters. */
const STORY = new Set([
  "src/flash_job.ts",
  "src/pull_firmware.ts",
  "src/ask_device.ts",
  "src/find_agent_ip.ts",
  "src/deliver_update.ts",
  "src/identify_device.ts",
  "src/confirm_update.ts",
  "src/check_firmware.ts",
  "src/check_signature.ts",
  "src/read_boot_keys.ts",
  "src/read_local_setup.ts",
  "src/choose_agent.ts",
  "src/compare_versions.ts",
  "src/look_at_device.ts",
  "src/job_ending.ts",
]);

/** Pure parsers of other rooms that configuration is read with. */
const CONFIG_PARSERS = new Set([
  "src/registry/reference.ts",
  "src/registry/digest.ts",
  "src/device/device_address.ts",
  "src/device/update_request.ts",
  "src/image/image_policy.ts",
  "src/image/secure_boot_key.ts",
]);

/** The only files that may name the runtime. */
const RUNTIME = new Set(["main.ts", "src/deno_world.ts", "src/deno_tls.ts", "src/deno_output.ts"]);

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Paths it imports code from; type imports do not count. */
  readonly imports: readonly string[];
}

async function sourceFiles(directory: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for await (const entry of Deno.readDir(join(ROOT, directory))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) files.push(...await sourceFiles(path));
    else if (path.endsWith(".ts") && !path.endsWith(".d.ts")) files.push(await sourceFile(path));
  }
  return files;
}

async function sourceFile(path: string): Promise<SourceFile> {
  const text = await Deno.readTextFile(join(ROOT, path));
  const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?([^;]*?)\bfrom\s+"(\.[^"]+)"/gm);
  const imports = [...statements].filter(([, type, names]) => !type && !onlyTypes(names ?? "")).map((
    [, , , target],
  ) => relative(ROOT, join(ROOT, dirname(path), target ?? "")));
  const forItsEffect = [...text.matchAll(/^import\s+"(\.[^"]+)"/gm)].map(([, target]) =>
    relative(ROOT, join(ROOT, dirname(path), target ?? ""))
  );
  const dynamic = [...text.matchAll(/\bimport\("(\.[^"]+)"\)/g)].map(([, target]) =>
    relative(ROOT, join(ROOT, dirname(path), target ?? ""))
  );
  return { path, text, imports: [...imports, ...forItsEffect, ...dynamic] };
}

/** `{ type A, type B }` brings no code. */
function onlyTypes(names: string): boolean {
  const inner = /^\s*\{([^}]*)\}\s*$/.exec(names)?.[1];
  return inner !== undefined && inner.split(",").map((name) => name.trim()).filter((name) => name !== "")
    .every((name) => name.startsWith("type "));
}

function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** Whether an import follows the arrows: main -> cli -> story -> rooms -> root files. */
function isAllowed(from: string, to: string): boolean {
  if (from === "main.ts") return to.startsWith("src/cli/") || /^src\/deno_(world|output)\.ts$/.test(to);
  if (from === "src/deno_world.ts") return !roomOf(to) && !STORY.has(to);
  if (from.startsWith("src/cli/")) return to !== "main.ts" && to !== "src/deno_world.ts";
  if (STORY.has(from)) return to !== "main.ts" && !to.startsWith("src/cli/") && to !== "src/deno_world.ts";
  const room = roomOf(from);
  if (room === undefined) return roomOf(to) === undefined && !STORY.has(to);
  if (roomOf(to) === undefined) return !STORY.has(to) && to !== "main.ts" && to !== "src/deno_world.ts";
  if (room === "job" && CONFIG_PARSERS.has(to)) return true;
  return roomOf(to) === room;
}

Deno.test("imports: follow main -> cli -> story -> rooms -> world", async () => {
  const files = [...await sourceFiles("src"), await sourceFile("main.ts")];
  const wrong = files.flatMap((file) =>
    file.imports.filter((target) => !isAllowed(file.path, target)).map((target) =>
      `${file.path} -> ${target}`
    )
  );
  assertEquals(wrong, []);
});

Deno.test("the runtime: only the doorway and the world name Deno", async () => {
  const wrong = (await sourceFiles("src")).filter((file) => !RUNTIME.has(file.path))
    .filter((file) => /(?<![\w"'`/.])Deno\./.test(file.text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")))
    .map((file) => file.path);
  assertEquals(wrong, []);
});

Deno.test("tests: nothing of the program imports from them", async () => {
  const files = [...await sourceFiles("src"), await sourceFile("main.ts")];
  assertEquals(files.filter((file) => file.imports.some((target) => target.startsWith("tests/"))), []);
});

Deno.test("files: none has more than 300 lines", async () => {
  const long = (await sourceFiles("src")).filter((file) => file.text.split("\n").length > 301).map((file) =>
    file.path
  );
  assertEquals(long, []);
});
