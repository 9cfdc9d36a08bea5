import { assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { WRITABLE } from "../../deploy/permissions.ts";
import configuration from "../../deno.json" with { type: "json" };
import { buildahAvailable, ImageStore } from "./buildah.ts";
import { readCompiledFile } from "./compiled_file.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BUILD_BASE = "localhost/build-base";
const FINAL_BASE = "localhost/final-base";

/** What the final image says of itself. */
interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env: readonly string[];
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Labels: Readonly<Record<string, string>>;
}

/**
 * Stands in for the image of Deno: the program itself, the libraries it is linked with, and the packages already
 * fetched. Nothing is pulled, and a proxy that refuses makes sure that nothing is downloaded either.
 */
async function makeBuildBase(store: ImageStore): Promise<void> {
  const files = `${store.directory}/build-base`;
  const deno = await Deno.realPath(Deno.execPath());
  for (const path of await librariesOf(deno)) {
    await Deno.mkdir(dirname(`${files}${path}`), { recursive: true });
    await Deno.copyFile(path, `${files}${path}`);
  }
  await Deno.mkdir(`${files}/bin`, { recursive: true });
  await Deno.copyFile(deno, `${files}/bin/deno`);
  await Deno.mkdir(`${files}/cache`);
  await Deno.mkdir(`${files}/tmp`);
  await run("cp", "-r", `${await cacheDirectory()}/npm`, `${files}/cache/npm`);
  await store.makeImage(BUILD_BASE, files, {
    PATH: "/bin",
    DENO_DIR: "/cache",
    DENORT_BIN: "/bin/deno",
    HTTPS_PROXY: "http://127.0.0.1:9",
    HTTP_PROXY: "http://127.0.0.1:9",
    NO_COLOR: "1",
  });
  await Deno.remove(files, { recursive: true });
}

async function librariesOf(program: string): Promise<string[]> {
  return [...(await run("ldd", program)).matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
}

async function cacheDirectory(): Promise<string> {
  const info: { readonly denoDir: string } = JSON.parse(await run(Deno.execPath(), "info", "--json"));
  return info.denoDir;
}

async function run(program: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args], stdin: "null" })
    .output();
  if (!success) throw new Error(`Cannot run ${program}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function listFiles(directory: string, parent = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${directory}${parent}`)) {
    const path = `${parent}/${entry.name}`;
    found.push(...entry.isDirectory ? await listFiles(directory, path) : [path]);
  }
  return found;
}

Deno.test("Containerfile: both stages build, and the image holds the program alone for an unprivileged user", async () => {
  if (!await buildahAvailable()) return;
  await using store = await ImageStore.open();
  await makeBuildBase(store);
  await store.makeImage(FINAL_BASE);
  const log = await store.buildah(
    "build",
    "--isolation=chroot",
    "--pull-never",
    "--quiet",
    "--tag=localhost/flashjob",
    `--build-arg=BUILD_BASE=${BUILD_BASE}`,
    `--build-arg=FINAL_BASE=${FINAL_BASE}`,
    `--file=${ROOT}Containerfile`,
    ROOT,
  );
  assertNotMatch(log, /warning|error/i);

  const image: { readonly config: ImageConfig } = JSON.parse(
    await store.buildah("inspect", "--type", "image", "--format", "{{.Config}}", "localhost/flashjob"),
  );
  const { config } = image;
  assertEquals(config.User, "65532:65532");
  assertEquals(config.Entrypoint, ["/usr/local/bin/flashjob"]);
  assertEquals(config.Cmd, undefined);
  assertEquals(config.ExposedPorts, { "4433/tcp": {} });
  const { TERMINATION_LOG, ...variables } = Object.fromEntries(config.Env.map((line) => line.split("=", 2)));
  assertEquals(Object.keys(variables), ["PATH"]);
  assertEquals(dirname(String(TERMINATION_LOG)), WRITABLE[0]);
  const { "io.buildah.version": _, ...labels } = config.Labels;
  assertEquals(labels, {
    "org.opencontainers.image.title": "flashjob",
    "org.opencontainers.image.description":
      "Updates an ESP32 over the air with a firmware from an OCI registry",
    "org.opencontainers.image.version": configuration.version,
    "org.opencontainers.image.licenses": configuration.license,
  });

  const files = await store.openImage("localhost/flashjob");
  assertEquals(await listFiles(files), ["/usr/local/bin/flashjob"]);
  const { mode, uid, gid } = await Deno.stat(`${files}/usr/local/bin/flashjob`);
  assertEquals([(mode ?? 0) & 0o7777, uid, gid], [0o755, 0, 0]);
  const { metadata } = readCompiledFile(await Deno.readFile(`${files}/usr/local/bin/flashjob`));
  assertEquals(metadata.entrypoint_key, "main.ts");
  // It may start itself where it stands.
  assertEquals(metadata.permissions["allow_run"], ["/usr/local/bin/ota-agent", ...config.Entrypoint]);
});

Deno.test("Containerfile: both bases are arguments with a version, and no step needs a shell", async () => {
  const text = await Deno.readTextFile(`${ROOT}Containerfile`);
  const steps = text.split("\n").filter((line) => /^[A-Z]+ /.test(line));
  const bases = steps.filter((step) => step.startsWith("FROM "));
  assertEquals(bases, ["FROM ${BUILD_BASE} AS build", "FROM ${FINAL_BASE}"]);
  assertMatch(text, /^ARG BUILD_BASE=\S+:\d+\.\d+\.\d+$/m);
  assertMatch(text, /^ARG FINAL_BASE=gcr\.io\/distroless\/\S+:nonroot$/m);
  for (const step of steps.filter((step) => /^(RUN|ENTRYPOINT|CMD) /.test(step))) {
    assertMatch(step, /^[A-Z]+ \["/);
  }
});

Deno.test(".containerignore: nothing but sources reaches the builder", async () => {
  const lines = (await Deno.readTextFile(`${ROOT}.containerignore`)).split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  assertEquals(lines, ["*", "!deno.json", "!deno.lock", "!main.ts", "!src", "!deploy/*.ts"]);
});
