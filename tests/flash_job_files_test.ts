import { assertEquals } from "@std/assert";
import { Interruption } from "../src/cli/command.ts";
import { denoWorld } from "../src/deno_world.ts";
import { flashJob } from "../src/flash_job.ts";
import { configOf } from "./job/job_world.ts";
import { quietLog } from "./ota_agent/agent_run.ts";

Deno.test("flashJob: files on a disk that does not answer are waited for as long as the job may take", async () => {
  const real = denoWorld(quietLog);
  const run = async (timeout: string, onAsked: (stop: () => void) => void): Promise<string> => {
    const stop = new AbortController();
    const facts = (): Promise<never> => {
      onAsked(() => stop.abort(new Interruption("SIGTERM")));
      return new Promise(() => undefined);
    };
    const world = { ...real, files: { ...real.files, facts } };
    const report = await flashJob(configOf({ agent: "builtin", timeout }), world, {
      signal: stop.signal,
      self: { path: "flashjob", args: [] },
      onProgress: () => undefined,
    });
    return report.outcome;
  };
  assertEquals(await run("20ms", () => undefined), "deadline");
  assertEquals(await run("10m", (stop) => setTimeout(stop, 10)), "terminated");
});
