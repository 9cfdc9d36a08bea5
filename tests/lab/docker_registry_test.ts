import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { buildFirmwareImage, MEDIA_TYPES } from "../builders/oci_image.ts";
import { available, type DockerRegistryAuth, startDockerRegistry } from "./docker_registry.ts";

const isAvailable = await available();
const FIRMWARE = new Uint8Array(2000).fill(0xe9);
const ACCEPT = Object.values(MEDIA_TYPES).map((types) => `${types.index}, ${types.manifest}`).join(", ");

/** A test that exists only where the program does. */
function againstRegistry(name: string, test: () => Promise<void>): void {
  if (isAvailable) Deno.test(name, test);
}

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url, { headers: { accept: ACCEPT, ...headers } });
  await response.body?.cancel();
  return response.status;
}

for (const format of ["docker", "oci"] as const) {
  againstRegistry(`startDockerRegistry: an open one takes and gives a ${format} image`, async () => {
    await using registry = await startDockerRegistry();
    const platforms = ["esp32", "esp32s3"].map((architecture) => ({ architecture, firmware: FIRMWARE }));
    const image = buildFirmwareImage({ format, platforms, attestations: format === "oci" });
    assertEquals(await registry.put(image, "team/app", "v1"), `${registry.host}/team/app:v1`);
    const headers = { accept: ACCEPT };
    const response = await fetch(`${registry.origin}/v2/team/app/manifests/v1`, { headers });
    assertEquals(response.headers.get("content-type"), MEDIA_TYPES[format].index);
    assertEquals(new Uint8Array(await response.arrayBuffer()), image.manifests.at(-1)?.bytes);
  });
}

againstRegistry("startDockerRegistry: htpasswd lets in whom it knows", async () => {
  await using registry = await startDockerRegistry({ kind: "htpasswd", user: "robot", password: "secret" });
  const image = buildFirmwareImage({
    format: "oci",
    platforms: [{ architecture: "esp32", firmware: FIRMWARE }],
  });
  await registry.put(image, "app", "v1");
  const url = `${registry.origin}/v2/app/manifests/v1`;
  assertEquals(await statusOf(url), 401);
  assertEquals(await statusOf(url, { authorization: `Basic ${btoa("robot:wrong")}` }), 401);
  assertEquals(await statusOf(url, { authorization: `Basic ${btoa("robot:secret")}` }), 200);
});

const SIGNING = [["ES256", "x5c"], ["ES256", "kid"], ["RS256", "x5c"]] as const;
for (const [algorithm, keyHeader] of SIGNING) {
  againstRegistry(
    `startDockerRegistry: it accepts our token server's signature (${algorithm}, ${keyHeader})`,
    async () => {
      const tokens = { users: { robot: "secret" } };
      const auth: DockerRegistryAuth = { kind: "token", tokens, signing: { algorithm, keyHeader } };
      await using registry = await startDockerRegistry(auth);
      const image = buildFirmwareImage({
        format: "oci",
        platforms: [{ architecture: "esp32", firmware: FIRMWARE }],
      });
      await registry.put(image, "app", "v1");
      assertEquals(registry.tokenServer?.issuer.issued.length, 0);
      const url = `${registry.origin}/v2/app/manifests/v1`;
      const refused = await fetch(url);
      await refused.body?.cancel();
      const challenge = refused.headers.get("www-authenticate") ?? "";
      assertStringIncludes(challenge, `realm="${registry.tokenServer?.realm}"`);
      assertStringIncludes(challenge, 'scope="repository:app:pull"');
      const tokenUrl = `${registry.tokenServer?.realm}?service=lab-registry&scope=repository:app:pull`;
      for (const [credentials, status] of [["robot:secret", 200], [undefined, 401]] as const) {
        const headers = credentials === undefined ? {} : { authorization: `Basic ${btoa(credentials)}` };
        const { token } = await (await fetch(tokenUrl, { headers })).json();
        assertEquals(await statusOf(url, { authorization: `Bearer ${token}` }), status);
      }
    },
  );
}

againstRegistry("startDockerRegistry: nothing of it is left when it is disposed", async () => {
  const registry = await startDockerRegistry();
  await registry[Symbol.asyncDispose]();
  await assertRejects(() => fetch(registry.origin), TypeError);
});
