import { assert, assertEquals } from "@std/assert";
import { checkSignature } from "../../src/check_signature.ts";
import { parseReference } from "../../src/registry/reference.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { SignatureError } from "../../src/signature/signature_error.ts";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { signingKey } from "../builders/signatures.ts";
import { startRegistry } from "../lab/registry.ts";
import { namedWorld } from "../registry/named_world.ts";
import { NEVER, openTestRegistry, WANTED } from "../registry/registry_rig.ts";

/** Every registry is the one of the lab, reached without TLS. */
const HOSTS = ["harbor.example", "10.0.0.5", "[2001:db8::5]"];
const PLAIN_HTTP = ["harbor.example", "10.0.0.5:5000", "[2001:db8::5]:5000"];

/** How a pull of an unsigned image ends by the spelling of its registry. */
const SPELLINGS = {
  "harbor.example": "missing",
  "HARBOR.Example": "missing",
  "harbor.example:80": "missing",
  "harbor.example:0080": "missing",
  "10.0.0.5:5000": "missing",
  "10.0.0.5:05000": "missing",
  "[2001:db8::5]:5000": "missing",
  "[2001:DB8:0:0:0:0:0:5]:05000": "missing",
  "10.5:5000": "bad-reference",
  "012.0.0.5:5000": "bad-reference",
};

Deno.test("checkSignature: no spelling of the registry gets around the rule that requires a signature", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const rule = { mode: "require", keys: ["key.pub"] };
    const repositories = Object.fromEntries(PLAIN_HTTP.map((registry) => [`${registry}/acme`, rule]));
    const policyFile = `${directory}/policy.json`;
    await Deno.writeTextFile(policyFile, JSON.stringify({ repositories }));
    await Deno.writeTextFile(`${directory}/key.pub`, signingKey().publicPem);
    await using registry = await startRegistry();
    const platforms = [{ architecture: WANTED.architecture, firmware: new Uint8Array(64).fill(0xe9) }];
    registry.put(buildFirmwareImage({ format: "oci", platforms }), "acme/fw", "v1");
    await using world = namedWorld(Object.fromEntries(HOSTS.map((host) => [host, registry.host])));
    using client = openTestRegistry({ plainHttp: PLAIN_HTTP }, world);

    const check = async (text: string): Promise<string> => {
      try {
        const image = await client.resolveImage(parseReference(text), WANTED, { signal: NEVER });
        const context = { registry: client, world, signal: NEVER, warn: () => {} };
        return (await checkSignature(image, { policyFile }, context)).state;
      } catch (failure) {
        assert(failure instanceof SignatureError || failure instanceof RegistryError, `${text}: ${failure}`);
        return failure.code;
      }
    };
    const found: Record<string, string> = {};
    for (const spelling of Object.keys(SPELLINGS)) found[spelling] = await check(`${spelling}/acme/fw:v1`);
    assertEquals(found, SPELLINGS);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
