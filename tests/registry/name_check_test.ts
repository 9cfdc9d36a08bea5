import { assertEquals, assertRejects } from "@std/assert";
import { checkName } from "../../src/registry/name_check.ts";
import { NEVER, testWorld } from "./registry_rig.ts";

const FROM = new URL("https://registry.example/");
const TO = new URL("https://cdn.example/");

Deno.test("World.resolveHost: all addresses of a name, none of one without, none in time", async () => {
  const world = testWorld();
  assertEquals((await world.resolveHost("localhost", NEVER)).includes("127.0.0.1"), true);
  assertEquals(await world.resolveHost("nowhere.invalid", NEVER), []);
  assertEquals(await world.resolveHost("localhost", AbortSignal.abort()), []);
});

Deno.test("checkName: a resolver that does not answer is left, and the end of the job is the end of the wait", async () => {
  const controller = new AbortController();
  const reason = new Error("the job is over");
  const world = testWorld({
    resolveHost: (_host, signal) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve([]), { once: true })),
  });
  await checkName(FROM, TO, { environment: {}, world, signal: controller.signal });
  const waiting = checkName(FROM, TO, { environment: {}, world, signal: controller.signal });
  controller.abort(reason);
  assertEquals(await assertRejects(() => waiting), reason);
});
