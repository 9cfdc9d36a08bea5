import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { compileArgs, missingRuntimeHint } from "../../deploy/compile.ts";
import { IN_POD, permissionFlags } from "../../deploy/permissions.ts";
import { type CompiledFile, readCompiledFile } from "./compiled_file.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PACKAGES = ".deno_compile_node_modules/localhost/";

/** In the environment of the compilation, as a careless CI job leaves it there. */
const SECRET = "compile-time-secret-9d41c2";

/** Deno itself stands in for its runtime part: the result can be read, not run. */
const executable = await compileOnce();
const compiled: CompiledFile = readCompiledFile(executable);

async function compileOnce(): Promise<Uint8Array> {
  const directory = await Deno.makeTempDir();
  try {
    const output = `${directory}/flashjob`;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "compile", "--output", output],
      cwd: ROOT,
      env: { DENORT_BIN: Deno.execPath(), REGISTRY_PASSWORD: SECRET, NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 0, text);
    assertStringIncludes(text, "--deny-net=169.254.0.0/16,");
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("compile: the permissions are exactly these", () => {
  const none = null;
  const all: string[] = [];
  assertEquals(compiled.metadata.permissions, {
    allow_env: all,
    deny_env: none,
    ignore_env: none,
    allow_net: all,
    deny_net: [
      "169.254.0.0/16",
      "100.100.100.200",
      "168.63.129.16",
      "[fd00:ec2::254]",
      "[fd00:ec2::23]",
      "[fd20:ce::254]",
      "[fe80::a9fe:a9fe]",
      "metadata.google.internal",
    ],
    allow_ffi: none,
    deny_ffi: none,
    allow_read: all,
    deny_read: ["/run/secrets/kubernetes.io", "/var/run/secrets/kubernetes.io"],
    ignore_read: none,
    allow_run: ["/usr/local/bin/ota-agent", "/usr/local/bin/flashjob"],
    deny_run: none,
    allow_sys: none,
    deny_sys: none,
    allow_write: ["/tmp", "/var/cache/flashjob"],
    deny_write: none,
    // Deno's own default; what is denied below wins.
    allow_import: [
      "jsr.io:443",
      "deno.land:443",
      "esm.sh:443",
      "raw.esm.sh:443",
      "cdn.jsdelivr.net:443",
      "raw.githubusercontent.com:443",
      "gist.githubusercontent.com:443",
    ],
    deny_import: all,
    prompt: false,
  });
});

Deno.test("compile: main.ts is the entry point, and nothing else is fixed beforehand", () => {
  const { metadata } = compiled;
  assertEquals(metadata.entrypoint_key, "main.ts");
  assertEquals(metadata.preload_modules, []);
  assertEquals(metadata.argv, []);
  assertEquals(metadata.ca_data, null);
  assertEquals(metadata.unsafely_ignore_certificate_errors, null);
  assertEquals(metadata.env_vars_from_env_file, {});
  assertEquals(metadata.code_cache_key, null);
  assert(metadata.v8_flags.includes("--max-semi-space-size=1"));
});

Deno.test("compile: main.ts and all of src that does anything are embedded, and no other file of the repository", async () => {
  const sources = new Map<string, string>();
  for await (const path of sourcePaths("src")) sources.set(path, await Deno.readTextFile(`${ROOT}${path}`));
  sources.set("main.ts", await Deno.readTextFile(`${ROOT}main.ts`));
  const embedded = [...compiled.files.keys()].filter((path) => !path.startsWith(PACKAGES));
  assertEquals(embedded.filter((path) => !sources.has(path)), []);
  const missing = [...sources].filter(([path]) => !embedded.includes(path));
  assertEquals(missing.filter(([, text]) => DOES_SOMETHING.test(text)).map(([path]) => path), []);
});

/** A file of types alone has no such line, and leaves nothing to embed. */
const DOES_SOMETHING = /^(?:export )?(?:async )?(?:function|const|let|class|abstract class)\b/m;

Deno.test("compile: every package that is loaded only when it is needed is there, with all it depends on", () => {
  const packages = new Map<string, string[]>();
  for (const [path, content] of compiled.files) {
    const name = /^((?:@[^/]+\/)?[^/]+)\/[^/]+\/package\.json$/.exec(path.slice(PACKAGES.length))?.[1];
    if (!path.startsWith(PACKAGES) || name === undefined) continue;
    const { dependencies = {} } = JSON.parse(new TextDecoder().decode(content));
    packages.set(name, Object.keys(dependencies));
  }
  for (
    const name of [
      "@sigstore/bundle",
      "@sigstore/protobuf-specs",
      "@sigstore/verify",
      "@peculiar/x509",
      "reflect-metadata",
    ]
  ) {
    assert(packages.has(name), `${name} is missing`);
  }
  for (const [name, dependencies] of packages) {
    for (const dependency of dependencies) {
      assert(packages.has(dependency), `${dependency} of ${name} is missing`);
    }
  }
  assertEquals(["fast-check", "kubernetes-models"].filter((name) => packages.has(name)), []);
});

Deno.test("compile: nothing of the environment it ran in is embedded", () => {
  const bytes = Buffer.from(executable.buffer, executable.byteOffset, executable.byteLength);
  assertEquals(bytes.includes(SECRET), false);
  assertEquals(bytes.includes(ROOT), false);
});

Deno.test("compileArgs: other places, more programs and more directories are asked for by name", () => {
  const flags = permissionFlags({
    program: "/opt/flashjob",
    agent: "/opt/ota-agent",
    writable: ["/srv/firmware"],
    runnable: ["docker-credential-ecr-login"],
  });
  assert(flags.includes("--allow-run=/opt/ota-agent,/opt/flashjob,docker-credential-ecr-login"));
  assert(flags.includes("--allow-write=/tmp,/var/cache/flashjob,/srv/firmware"));
  const args = compileArgs(IN_POD, "out");
  assertEquals(args.filter((arg) => /^(-A|--allow-all|--allow-(ffi|sys|import)|-[RWNES])/.test(arg)), []);
});

Deno.test("missingRuntimeHint: it says what to fetch when the runtime part is out of reach, else nothing", () => {
  const hint = missingRuntimeHint(
    "error: Writing deno compile executable\n    1: error sending request for url " +
      "(https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip): client error (Connect)",
  );
  assertMatch(
    hint ?? "",
    /'https:\/\/dl\.deno\.land\/release\/v2\.9\.6\/denort-x86_64-unknown-linux-gnu\.zip'.*DENORT_BIN/,
  );
  assertEquals(missingRuntimeHint("error: Module not found"), undefined);
});

Deno.test("deno task compile: an unknown option is an error", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "compile", "--outptu", "x"],
    cwd: ROOT,
    stdin: "null",
  }).output();
  assertEquals(code, 2);
  assertStringIncludes(new TextDecoder().decode(stderr), "Cannot compile with '--outptu'");
});

async function* sourcePaths(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(`${ROOT}${directory}`)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sourcePaths(path);
    else if (path.endsWith(".ts") && !path.endsWith(".d.ts")) yield path;
  }
}
