import { assert, assertEquals, assertRejects } from "@std/assert";
import { denoWorld, systemClock } from "../src/deno_world.ts";
import type { Child, ChildCommand, World } from "../src/world.ts";

const REASON = new Error("told to stop");

function world(): World {
  const log = { debug() {}, info() {}, warn() {}, error() {}, room: () => log };
  return denoWorld(log);
}

async function withDirectory(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    await use(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

Deno.test("systemClock.sleep: ends by itself, and at once when it is aborted before or meanwhile", async () => {
  await systemClock.sleep(1);
  const stop = new AbortController();
  const hour = systemClock.sleep(3_600_000, stop.signal);
  stop.abort(REASON);
  assertEquals(await assertRejects(() => hour, Error), REASON);
  assertEquals(await assertRejects(() => systemClock.sleep(1, stop.signal), Error), REASON);
  const { signal } = new AbortController();
  await systemClock.sleep(1, signal);
});

Deno.test("files.createPrivate: nobody else may read it, and nothing there is overwritten", async () => {
  const { files } = world();
  await withDirectory(async (directory) => {
    const path = `${directory}/secret`;
    {
      using file = await files.createPrivate(path);
      await file.write(new TextEncoder().encode("0123456789"));
      await file.sync();
      assertEquals(await file.size(), 10);
      const middle = new Uint8Array(4);
      assertEquals([await file.readAt(3, middle), new TextDecoder().decode(middle)], [4, "3456"]);
      assertEquals(await file.readAt(8, middle), 2);
      file.close();
      file.close();
    }
    assertEquals((await files.facts(path))?.mode, 0o600);
    await assertRejects(() => files.createPrivate(path), Deno.errors.AlreadyExists);
    // A link that leads nowhere is not followed either.
    await Deno.symlink(`${directory}/elsewhere`, `${directory}/link`);
    await assertRejects(() => files.createPrivate(`${directory}/link`), Deno.errors.AlreadyExists);
    assertEquals(await files.readText(path, 10), "0123456789");
  });
});

Deno.test("files.readText: exactly its limit is read, one byte more is an error", async () => {
  const { files } = world();
  await withDirectory(async (directory) => {
    const path = `${directory}/text`;
    await Deno.writeTextFile(path, "ünicode");
    assertEquals(await files.readText(path, 8), "ünicode");
    await assertRejects(() => files.readText(path, 7), RangeError, "more than 7 bytes");
    await assertRejects(() => files.readText(`${path}x`, 7), Deno.errors.NotFound);
    await assertRejects(() => files.readText(directory, 7), Error);
    // Endless, and still bounded.
    await assertRejects(() => files.readText("/dev/zero", 1000), RangeError);
  });
});

Deno.test("files: facts of nothing are undefined, and removing nothing is no error", async () => {
  const { files } = world();
  await withDirectory(async (directory) => {
    const path = `${directory}/a`;
    assertEquals(await files.facts(path), undefined);
    await files.remove(path);
    await assertRejects(() => files.overwrite(path, "x"), Deno.errors.NotFound);
    await files.makeDirectory(`${path}/b`);
    const { mode, isDirectory } = await files.facts(path) ?? {};
    assertEquals([mode, isDirectory], [0o700, true]);
    await files.makeDirectory(`${path}/b`);
    using file = await files.createPrivate(`${path}/b/c`);
    await file.write(new Uint8Array(3));
    assertEquals(await files.facts(`${path}/b/c/d`), undefined);
    await files.overwrite(`${path}/b/c`, "longer than before");
    await files.rename(`${path}/b/c`, `${path}/b/d`);
    assertEquals(await files.list(`${path}/b`), ["d"]);
    assertEquals(await files.readText(`${path}/b/d`, 100), "longer than before");
    await files.remove(path);
    assertEquals(await files.list(directory), []);
  });
});

Deno.test("files.makeTempDirectory: private, under the given parent, and new each time", async () => {
  const { files } = world();
  await withDirectory(async (directory) => {
    const [one, other] = [await files.makeTempDirectory(directory), await files.makeTempDirectory(directory)];
    assert(one !== other && one.startsWith(`${directory}/flashjob-`));
    assertEquals((await files.facts(one))?.mode, 0o700);
  });
});

async function outputOf(
  child: Child,
): Promise<{ stdout: string; stderr: string; code: number; signal: string | null }> {
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status,
  ]);
  return { stdout, stderr, ...status };
}

function shell(script: string, rest: Partial<ChildCommand> = {}): ChildCommand {
  return { path: "/bin/sh", args: ["-c", script], env: {}, ...rest };
}

Deno.test("spawn: the child sees exactly the given environment", async () => {
  const env = { NEW_FIRMWARE_PATH: "/tmp/x y", EMPTY: "" };
  const { stdout, code } = await outputOf(world().spawn({ path: "/usr/bin/env", args: [], env }));
  assertEquals(code, 0);
  assertEquals(stdout.trim().split("\n").sort(), ["EMPTY=", "NEW_FIRMWARE_PATH=/tmp/x y"]);
});

Deno.test("spawn: input reaches the child, without it there is none, and a child may ignore it", async () => {
  const input = new TextEncoder().encode("hello");
  assertEquals((await outputOf(world().spawn(shell("cat", { input })))).stdout, "hello");
  assertEquals((await outputOf(world().spawn(shell("cat")))).stdout, "");
  const much = new Uint8Array(1_000_000);
  assertEquals((await outputOf(world().spawn(shell("exit 3", { input: much })))).code, 3);
});

Deno.test("spawn: exit codes and signals are told apart, and killing what has ended is no error", async () => {
  const failed = world().spawn(shell("echo out; echo err >&2; exit 7"));
  assertEquals(await outputOf(failed), { stdout: "out\n", stderr: "err\n", code: 7, signal: null });
  failed.kill("SIGTERM");
  failed.kill("SIGKILL");

  const killed = world().spawn(shell("kill -9 $$"));
  assertEquals((await outputOf(killed)).signal, "SIGKILL");
  killed.kill("SIGKILL");

  const stopped = world().spawn({ path: "/bin/sleep", args: ["60"], env: {} });
  stopped.kill("SIGTERM");
  assertEquals((await outputOf(stopped)).signal, "SIGTERM");
});

Deno.test("localAddressTowards: the address from which a peer is reached, or a rejection", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const { signal } = new AbortController();
  const [address, connection] = await Promise.all([
    world().localAddressTowards("127.0.0.1", port, signal),
    listener.accept(),
  ]);
  connection.close();
  assertEquals(address, "127.0.0.1");
  listener.close();
  await assertRejects(() => world().localAddressTowards("127.0.0.1", port, signal), Error);
  await assertRejects(() => world().localAddressTowards("127.0.0.1", port, AbortSignal.abort(REASON)), Error);
});
