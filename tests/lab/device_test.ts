import { assertEquals } from "@std/assert";
import { deployedServerPair, type ServerPair } from "../builders/certificates.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { startDevice } from "./device.ts";

/** The least agent there can be: takes what a device says, sends `image`, waits for the device's close. */
function serveImage(
  pair: ServerPair,
  image: Uint8Array,
): AsyncDisposable & { port: number; heard: number[] } {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: pair.certificate, key: pair.key });
  const heard: number[] = [];
  const served = (async () => {
    for await (const connection of listener) {
      try {
        const buffer = new Uint8Array(2000);
        heard.push(await connection.read(buffer) ?? 0);
        for (let at = 0; at < image.length; at += 4096) await connection.write(image.subarray(at, at + 4096));
        await connection.closeWrite();
        while (await connection.read(buffer) !== null);
      } catch (error) {
        heard.push(error instanceof Error ? -1 : -2);
      } finally {
        connection.close();
      }
    }
  })();
  return {
    port: listener.addr.port,
    heard,
    async [Symbol.asyncDispose]() {
      listener.close();
      await served;
    },
  };
}

async function post(endpoint: string, body: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${endpoint}/update`, {
    method: "POST",
    headers: { "content-type": "text/plain", connection: "close" },
    body,
  });
  return { status: response.status, text: await response.text() };
}

Deno.test("startDevice: flashes what the agent sends, restarts, reports the new version", async () => {
  const image = buildEspApp({ version: "0.2.0", size: 200_000 });
  const pair = await deployedServerPair();
  await using agent = serveImage(pair, image);
  await using device = await startDevice({ agentPort: agent.port, pinned: pair.pinned });
  assertEquals(await (await fetch(`http://${device.endpoint}/info`)).json(), {
    device: "esp32s3",
    application: "thermo",
    version: "0.1.0",
  });
  assertEquals(await post(device.endpoint, "ip: 127.0.0.1"), {
    status: 200,
    text: "Received update request: About to update (Secure)\n",
  });
  await device.until("restarted");
  assertEquals(device.flash, image);
  assertEquals(device.running, { version: "0.2.0", image });
  assertEquals((await (await fetch(`http://${device.endpoint}/info`)).json()).version, "0.2.0");
  assertEquals(agent.heard, [device.certificate.der.length]);
});
