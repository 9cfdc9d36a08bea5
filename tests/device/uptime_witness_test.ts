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

/** Lets what has arrived be heard. */
async function aMoment(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
}

Deno.test("UptimeWitness: a device that answers on the connection was up, which uses it up", async () => {
  const device = boot();
  using witness = witnessOf(device.port);
  for (let round = 0; round < 2; round++) {
    await witness.hold(NEVER);
    await witness.hold(NEVER);
    assertEquals(device.connections, 1);
    assertEquals([await witness.wasUp(NEVER), await witness.wasUp(NEVER)], [true, false]);
    while (device.connections > 0) await aMoment();
  }
  await device.close();
});

Deno.test("UptimeWitness: a device that has restarted meanwhile does not know the connection", async () => {
  const before = boot();
  using witness = witnessOf(before.port);
  await witness.hold(NEVER);
  await before.losePower();
  const after = boot(before.port);
  await witness.hold(NEVER);
  assertEquals(after.connections, 0, "the connection from before is kept");
  assertEquals(await witness.wasUp(NEVER), false);
  await before.close();
  await after.close();
});

Deno.test("UptimeWitness: nobody there, an idle connection that was closed, silence, another protocol: nothing is known", async () => {
  const nobody = boot();
  await nobody.close();
  using none = witnessOf(nobody.port);
  assertEquals(await none.wasUp(NEVER), false);
  await none.hold(NEVER);
  assertEquals(await none.wasUp(NEVER), false);

  // What comes before the question answers nothing: some servers take leave of an idle connection in words.
  for (const early of [undefined, "", "HTT", "SSH-2.0-x", "HTTP/1.1 408 Request Timeout\r\n\r\n"]) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using witness = witnessOf(listener.addr.port, early === undefined ? 100 : 10_000);
    const accepted = listener.accept();
    await witness.hold(NEVER);
    using peer = await accepted;
    if (early !== undefined) {
      await peer.write(new TextEncoder().encode(early));
      await peer.closeWrite();
      await aMoment();
    }
    assertEquals(await witness.wasUp(NEVER), false, early);
    // While it answers, another one is opened in its place.
    const again = listener.accept();
    await witness.hold(NEVER);
    (await again).close();
  }
});

Deno.test("UptimeWitness: rejects with the signal's reason, and leaves nothing open", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using witness = witnessOf(listener.addr.port);
  const stop = new AbortController();
  const accepted = listener.accept();
  await witness.hold(stop.signal);
  using _peer = await accepted;
  const asked = assertRejects(() => witness.wasUp(stop.signal), Error, "enough");
  stop.abort(new Error("enough"));
  await asked;
  await assertRejects(() => witness.hold(stop.signal), Error, "enough");
});
