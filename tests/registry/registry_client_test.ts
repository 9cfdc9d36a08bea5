import { assertEquals } from "@std/assert";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { startRegistry } from "../lab/registry.ts";
import { openTestRegistry, pullAll, testWorld } from "./registry_rig.ts";

const FIRMWARE = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);
const IMAGE = buildFirmwareImage({
  format: "docker",
  platforms: ["esp32", "esp32s3"].map((architecture) => ({ architecture, firmware: FIRMWARE })),
});

Deno.test("RegistryClient: pulls from an open registry", async () => {
  await using registry = await startRegistry();
  const name = registry.put(IMAGE, "iot/fw", "1");
  using client = openTestRegistry({}, testWorld());
  const { image, layers } = await pullAll(client, name);
  assertEquals(image.config.architecture, "esp32s3");
  assertEquals(image.index?.digest, IMAGE.descriptor.digest as string as typeof image.manifest.digest);
  assertEquals(layers.length, image.layers.length);
});

Deno.test("RegistryClient: pulls with Basic", async () => {
  await using registry = await startRegistry({
    auth: { kind: "basic", user: "robot", password: "pässword" },
  });
  const name = registry.put(IMAGE, "iot/fw", "1");
  using client = openTestRegistry({ credentials: { username: "robot", password: "pässword" } }, testWorld());
  await pullAll(client, name);
});

Deno.test("RegistryClient: pulls with a token", async () => {
  await using registry = await startRegistry({
    auth: { kind: "token", tokens: { users: { robot: "secret" } } },
  });
  const name = registry.put(IMAGE, "iot/fw", "1");
  using client = openTestRegistry({ credentials: { username: "robot", password: "secret" } }, testWorld());
  await pullAll(client, name);
  assertEquals(registry.issuer?.issued.length, 1);
});
