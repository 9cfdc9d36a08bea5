import { assert, assertEquals } from "@std/assert";
import { buildEspApp, sha256 } from "../builders/esp_image.ts";
import { startAttestation } from "../lab/attestation.ts";
import { type LabDevice, startDevice } from "../lab/device.ts";
import { startOtaAgent } from "./agent_run.ts";

async function postUpdate(device: LabDevice): Promise<void> {
  const response = await fetch(`http://${device.endpoint}/update`, { method: "POST", body: "ip: 127.0.0.1" });
  await response.body?.cancel();
}

Deno.test("runOtaAgent: delivers the image to the device and says so only with its receipt", async () => {
  const image = buildEspApp({ version: "0.2.0", size: 300_000 });
  await using attestation = startAttestation();
  await using agent = await startOtaAgent({ image, attestationUrl: new URL(attestation.url) });
  await using device = await startDevice({ agentPort: await agent.port, expectedImage: image });
  await postUpdate(device);
  const end = await agent.end;
  assert(end.kind === "delivered", JSON.stringify(end));
  assertEquals(device.flash, image);
  assertEquals(end.bytes, image.length);
  assertEquals(end.sha256, sha256(image).toHex());
  assertEquals(end.certificateSha256, sha256(device.certificate.der).toHex());
  assertEquals(end.receipt, "acknowledged");
  assertEquals([...new Set(agent.events.map(({ event }) => event))], [
    "listening",
    "handshake",
    "certificate",
    "dialled",
    "attested",
    "sending",
    "half-closed",
    "delivered",
  ]);
});
