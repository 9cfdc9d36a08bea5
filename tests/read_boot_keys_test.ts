import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { denoWorld } from "../src/deno_world.ts";
import { ConfigError } from "../src/job/config_error.ts";
import { readBootKeys } from "../src/read_boot_keys.ts";
import { quietLog } from "./ota_agent/agent_run.ts";

Deno.test("readBootKeys: the signal ends the wait for a key file of a share that does not answer", async () => {
  const world = denoWorld(quietLog);
  for (const slow of ["facts", "open"] as const) {
    const stop = new AbortController();
    const isFile = { isFile: true, isDirectory: false, size: 178, mode: null, modified: null };
    const files = {
      ...world.files,
      facts: () => Promise.resolve(isFile),
      [slow]: () => {
        queueMicrotask(() => stop.abort(new Error("interrupted")));
        return new Promise<never>(() => undefined);
      },
    };
    const error = await assertRejects(() =>
      readBootKeys(["/share/boot.pem"], { ...world, files }, stop.signal)
    );
    assertEquals(error, stop.signal.reason, slow);
  }
});

Deno.test("readBootKeys: every file that holds no key is told of at once", async () => {
  const paths = ["/nonexistent/a.pem", "/dev/null", import.meta.filename ?? ""];
  const error = await assertRejects(
    () => readBootKeys(paths, denoWorld(quietLog), new AbortController().signal),
    ConfigError,
  );
  assertEquals(error.faults.length, paths.length);
  for (const path of paths) assertStringIncludes(error.message, `'${path}'`);
});
