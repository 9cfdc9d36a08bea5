import { assertEquals, assertRejects } from "@std/assert";
import { UptimeWitness } from "../../src/device/uptime_witness.ts";
import { denoWorld } from "../../src/deno_world.ts";
import { DeviceHttp } from "../lab/device_http.ts";
import { quietLog } from "../ota_agent/agent_run.ts";

const NEVER = new AbortController().signal;
const { clock, connect } = denoWorld(quietLog);

function boot(port = 0): DeviceHttp {
  return new DeviceHttp({
    hostname: "127.0.0.1",
    port,
    headerLimit: 512,
    answer: () => Promise.resolve({ status: 404, body: "no /info here" }),
    resets: () => false,
  });
}

function witnessOf(port: number, timeout = 10_000): UptimeWitness {
  return new UptimeWitness({ hostname: "127.0.0.1", port }, { connect, clock, timeout });
}

Deno.test("UptimeWitness: a device that answers on the connection was up, however often it is asked", async () => {
  const device = boot();
  using witness = witnessOf(device.port);
  await witness.begin(NEVER);
  assertEquals([await witness.wasUp(NEVER), await witness.wasUp(NEVER)], [true, true]);
  await device.close();
});

Deno.test("UptimeWitness: a device that has restarted meanwhile does not know the connection", async () => {
  const before = boot();
  using witness = witnessOf(before.port);
  await witness.begin(NEVER);
  await before.losePower();
  const after = boot(before.port);
  assertEquals(await witness.wasUp(NEVER), false);
  // Nothing is held any more, so nothing can be said.
  assertEquals(await witness.wasUp(NEVER), false);
  await before.close();
  await after.close();
});

Deno.test("UptimeWitness: nobody there, an idle connection that was closed, silence, another protocol: nothing is known", async () => {
  const nobody = boot();
  await nobody.close();
  using none = witnessOf(nobody.port);
  assertEquals(await none.wasUp(NEVER), false);
  await none.begin(NEVER);
  assertEquals(await none.wasUp(NEVER), false);

  for (const answer of [undefined, "", "HTT", "SSH-2.0-x"]) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using witness = witnessOf(listener.addr.port, answer === undefined ? 100 : 10_000);
    const accepted = listener.accept();
    await witness.begin(NEVER);
    using peer = await accepted;
    if (answer !== undefined) {
      await peer.write(new TextEncoder().encode(answer));
      await peer.closeWrite();
    }
    assertEquals(await witness.wasUp(NEVER), false, answer);
  }
});

Deno.test("UptimeWitness: rejects with the signal's reason, and leaves nothing open", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using witness = witnessOf(listener.addr.port);
  const stop = new AbortController();
  const accepted = listener.accept();
  await witness.begin(stop.signal);
  using _peer = await accepted;
  const reason = new Error("enough");
  const asked = assertRejects(() => witness.wasUp(stop.signal), Error, "enough");
  stop.abort(reason);
  await asked;
  await assertRejects(() => witness.begin(stop.signal), Error, "enough");
});
