import { assert, assertEquals } from "@std/assert";
import { diceCertificate } from "../builders/certificates.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { startAttestation } from "../lab/attestation.ts";
import { codeOf, smallImage } from "./agent_case.ts";
import { type AgentRun, startOtaAgent } from "./agent_run.ts";
import { RawDevice } from "./raw_device.ts";

const DEVICE = "127.0.0.1";
const ELSEWHERE = "127.0.0.2";
/** More than all socket buffers on the way can hold. */
const largeImage = buildEspApp({ version: "0.2.0", size: 24_000_000 });

const recognised = { expectedDevice: { address: DEVICE, require: false } };

/** Waits until the agent has told `count` events of this name; rejects when it ends without. */
async function until({ events, end }: AgentRun, name: string, count = 1): Promise<void> {
  let hasEnded = false;
  void end.finally(() => hasEnded = true);
  while (events.filter(({ event }) => event === name).length < count) {
    assert(!hasEnded, `the agent ended before it told '${name}' ${count} times: ${JSON.stringify(events)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Reads what it gets, to the end; how much that was. */
async function take(device: RawDevice): Promise<number> {
  await device.readUpTo(Infinity).catch(() => undefined);
  await device.finish().catch(() => undefined);
  return device.received;
}

Deno.test("runOtaAgent: of two genuine devices that dial at once one is served, the other gets nothing", async () => {
  // 400 ms: whoever is attested before the other has dialled is served alone, which is another case.
  await using attestation = startAttestation({ delay: 16_000 });
  await using agent = await startOtaAgent({ image: smallImage, attestationUrl: new URL(attestation.url) });
  const port = await agent.port;
  using first = await RawDevice.dial(port);
  using second = await RawDevice.dial(port);
  await Promise.all([
    first.write((await diceCertificate("device")).der),
    second.write((await diceCertificate("other")).der),
  ]);
  await until(agent, "dialled", 2);
  const received = await Promise.all([take(first), take(second)]);
  assertEquals(received.toSorted((a, b) => a - b), [0, smallImage.length]);
  const end = await agent.end;
  assert(end.kind === "delivered", JSON.stringify(end));
  assertEquals(end.certificateSha256, (await fingerprints())[received[0] === 0 ? 1 : 0]);
});

async function fingerprints(): Promise<string[]> {
  const ders = [(await diceCertificate("device")).der, (await diceCertificate("other")).der];
  return await Promise.all(
    ders.map(async (der) => new Uint8Array(await crypto.subtle.digest("SHA-256", der)).toHex()),
  );
}

Deno.test("runOtaAgent: the device at its address goes before one elsewhere that is being served", async () => {
  await using attestation = startAttestation();
  await using agent = await startOtaAgent({
    image: largeImage,
    attestationUrl: new URL(attestation.url),
    ...recognised,
  });
  const port = await agent.port;
  using other = await RawDevice.present(port, "other", ELSEWHERE);
  await until(agent, "sending");
  using device = await RawDevice.present(port, "device", DEVICE);
  assertEquals(await take(device), largeImage.length);
  assert(await take(other) < largeImage.length);
  const end = await agent.end;
  assert(end.kind === "delivered", JSON.stringify(end));
  assert(end.peer.startsWith(`${DEVICE}:`));
});

Deno.test("runOtaAgent: a device elsewhere that is refused or breaks off does not end the wait for the device", async () => {
  const device = await diceCertificate("device");
  for (const breaksOff of [false, true]) {
    await using attestation = startAttestation(
      breaksOff ? {} : { registered: [device] },
    );
    await using agent = await startOtaAgent({
      image: smallImage,
      attestationUrl: new URL(attestation.url),
      redialTimeout: 1,
      ...recognised,
    });
    const port = await agent.port;
    {
      using other = await RawDevice.present(port, "other", ELSEWHERE);
      if (breaksOff) await until(agent, "sending");
      else assertEquals(await take(other), 0);
    }
    await until(agent, "retry");
    await new Promise((resolve) => setTimeout(resolve, 50));
    using late = await RawDevice.present(port, "device", DEVICE);
    assertEquals(await take(late), smallImage.length);
    assertEquals(codeOf(await agent.end), "delivered");
  }
});

Deno.test("runOtaAgent: one elsewhere that was refused is told when the device itself never dials", async () => {
  await using attestation = startAttestation({ mode: "401" });
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    dialInTimeout: 1_000,
    ...recognised,
  });
  using other = await RawDevice.present(await agent.port, "other", ELSEWHERE);
  assertEquals(await take(other), 0);
  assertEquals(codeOf(await agent.end), "attestation-refused");
});

Deno.test("runOtaAgent: a device that is at its handshake when the time to dial again is over is awaited", async () => {
  await using attestation = startAttestation();
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    redialTimeout: 200,
    ...recognised,
  });
  const port = await agent.port;
  {
    using broken = await RawDevice.present(port);
    await broken.readUpTo(1);
  }
  // Its handshake is done and its certificate is not there yet when the 200 ms are over.
  using again = await RawDevice.dial(port);
  await until(agent, "retry");
  await new Promise((resolve) => setTimeout(resolve, 400));
  await again.write((await diceCertificate()).der);
  assertEquals(await take(again), smallImage.length);
  assertEquals(codeOf(await agent.end), "delivered");
});

Deno.test("runOtaAgent: of those who may be anyone one is looked at, and the device is served beside it", async () => {
  await using attestation = startAttestation({ mode: "hang" });
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    attestationTimeout: 10_000,
    attestedAhead: { certificateSha256: (await fingerprints())[0] ?? "", at: Date.now() },
    ...recognised,
  });
  const port = await agent.port;
  using first = await RawDevice.present(port, "other", ELSEWHERE);
  await until(agent, "dialled");
  using second = await RawDevice.present(port, "third", ELSEWHERE);
  assertEquals(await take(second), 0);
  assertEquals(attestation.requests.length, 1);
  using device = await RawDevice.present(port, "device", DEVICE);
  assertEquals(await take(device), smallImage.length);
  assertEquals(await take(first), 0);
  assertEquals(codeOf(await agent.end), "delivered");
});

Deno.test("runOtaAgent: a device that is at its handshake when the time to dial is over is served", async () => {
  await using attestation = startAttestation();
  await using agent = await startOtaAgent({
    image: smallImage,
    attestationUrl: new URL(attestation.url),
    dialInTimeout: 200,
    ...recognised,
  });
  using device = await RawDevice.dial(await agent.port);
  await new Promise((resolve) => setTimeout(resolve, 400));
  await device.write((await diceCertificate()).der);
  assertEquals(await take(device), smallImage.length);
  assertEquals(codeOf(await agent.end), "delivered");
});
