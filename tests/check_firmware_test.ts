import { assertEquals, assertRejects } from "@std/assert";
import { inspectFirmware } from "../src/check_firmware.ts";
import { denoWorld } from "../src/deno_world.ts";
import { quietLog } from "./ota_agent/agent_run.ts";
import { configOf } from "./job/job_world.ts";

Deno.test("inspectFirmware: the signal ends the wait for a key file of a share that does not answer", async () => {
  const world = denoWorld(quietLog);
  const { check } = configOf({ "secure-boot-key": ["/share/boot.pem"] });
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
      inspectFirmware("app.bin", check, { ...world, files }, stop.signal)
    );
    assertEquals(error, stop.signal.reason, slow);
  }
});
