import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/cli/command_table.ts";
import { MAIN, runProgram } from "../lab/program.ts";

const ROOT = new URL("../..", import.meta.url).href;

interface ModuleGraph {
  readonly redirects: Readonly<Record<string, string>>;
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

/** Which modules are loaded together with a file: what it imports, but for what it imports when it is needed. */
function loadedWith(graph: ModuleGraph, file: string): string[] {
  const modules = new Map(graph.modules.map((module) => [module.specifier, module]));
  const found = new Set<string>();
  const open = [file];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const specifier = graph.redirects[next] ?? next;
    if (found.has(specifier)) continue;
    found.add(specifier);
    const dependencies = modules.get(specifier)?.dependencies ?? [];
    open.push(...dependencies.flatMap(({ code, isDynamic }) => isDynamic ? [] : code?.specifier ?? []));
  }
  return [...found].map((specifier) => specifier.replace(ROOT, ""));
}

async function moduleGraph(): Promise<ModuleGraph> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", MAIN] }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

const SIGSTORE_OR_X509 =
  /@sigstore|@peculiar|reflect-metadata|^src\/certs\/|^src\/signature\/(?!signature_error)/;

/** What must not be loaded with a file. */
const BANNED: readonly (readonly [file: string, banned: RegExp])[] = [
  ["main.ts", /_command\.ts$|^src\/(?!cli\/|report\/|job\/|[^/]+$)|valibot|modern-tar|^node:(?!path)/],
  [
    "src/cli/ota_agent_command.ts",
    /^src\/(registry|firmware|image|signature|certs|device|agent)\/|^npm:|_job\.ts$/,
  ],
  ["src/cli/flash_command.ts", /(inspect|certs|pull|ota_agent)_command\.ts$/],
  ["src/cli/flash_command.ts", SIGSTORE_OR_X509],
  ["src/cli/pull_command.ts", SIGSTORE_OR_X509],
  ["src/cli/inspect_command.ts", SIGSTORE_OR_X509],
  [
    "src/cli/certs_command.ts",
    /@sigstore|@peculiar|^src\/(registry|firmware|image|ota_agent)\/(?!\w+_error)/,
  ],
];

Deno.test("start-up: a command loads what it uses, and nothing of the others", async () => {
  const graph = await moduleGraph();
  for (const [file, banned] of BANNED) {
    const loaded = loadedWith(graph, `${ROOT}${file}`);
    assert(loaded.length > 5, `${file} is in the graph`);
    assertEquals(loaded.filter((module) => module !== file && banned.test(module)), [], file);
  }
});

Deno.test("help: of the program and of every command", async () => {
  const program = await runProgram(["--help"]);
  assertEquals(program.code, 0);
  const helps = await Promise.all(COMMANDS.map(({ name }) => runProgram([name, "--help"])));
  COMMANDS.forEach(({ name, summary }, index) => {
    assert(program.stdout.includes(`  ${name.padEnd(7)}  ${summary}\n`), name);
    assert(helps[index]?.stdout.startsWith(`Usage: flashjob ${name} `), name);
    assertEquals([helps[index]?.code, helps[index]?.stderr], [0, ""]);
  });
});
