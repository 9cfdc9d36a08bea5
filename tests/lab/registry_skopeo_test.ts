import { assert, assertEquals } from "@std/assert";
import { buildFirmwareImage, type FirmwareImageOptions, MEDIA_TYPES } from "../builders/oci_image.ts";
import { writeOciLayout } from "../builders/oci_layout.ts";
import { available, startDockerRegistry } from "./docker_registry.ts";
import { startRegistry } from "./registry.ts";
import { copyLayout, skopeo, skopeoAvailable } from "./registry_skopeo.ts";

const isAvailable = await skopeoAvailable();
const FIRMWARE = Uint8Array.from({ length: 3000 }, (_, index) => index % 247);
const COMPRESSIONS = ["gzip", "multi-gzip", "zstd", "none"] as const;
const PLATFORMS: FirmwareImageOptions["platforms"] = COMPRESSIONS.map((compression, index) => ({
  architecture: `esp32s${index}`,
  firmware: FIRMWARE,
  compression,
}));

/** A test that exists only where the program does. */
function withSkopeo(name: string, test: () => Promise<void>): void {
  if (isAvailable) Deno.test(name, test);
}

for (const format of ["docker", "oci"] as const) {
  withSkopeo(`startRegistry: skopeo reads a ${format} image with all its platforms`, async () => {
    await using registry = await startRegistry();
    // It knows no zstd layers of the Docker kind, although BuildKit writes them.
    const platforms = PLATFORMS.filter(({ compression }) => format === "oci" || compression !== "zstd");
    const reference = registry.put(buildFirmwareImage({ format, platforms }), "team/app", "v1");
    const directory = await Deno.makeTempDir();
    const copy = await skopeo(
      "copy",
      "--all",
      "--src-tls-verify=false",
      `docker://${reference}`,
      `dir:${directory}`,
    );
    await Deno.remove(directory, { recursive: true });
    assert(copy.ok, copy.stderr);
    const platform = ["--override-os", "custom", "--override-arch", "esp32s1"];
    const inspect = await skopeo(...platform, "inspect", "--tls-verify=false", `docker://${reference}`);
    assert(inspect.ok, inspect.stderr);
    const facts: Record<string, unknown> = JSON.parse(inspect.stdout);
    assertEquals([facts["Os"], facts["Architecture"], facts["RepoTags"]], ["custom", "esp32s1", ["v1"]]);
    assertEquals(facts["Labels"], { "com.urunc.iot.path": "/firmware/app.bin" });
  });
}

withSkopeo("startRegistry: skopeo finds its way to the token server with a password", async () => {
  await using registry = await startRegistry({
    auth: { kind: "token", tokens: { users: { robot: "secret" } } },
  });
  const reference = registry.put(buildFirmwareImage({ format: "oci", platforms: PLATFORMS }), "app", "v1");
  const inspect = ["inspect", "--raw", "--tls-verify=false"];
  assert(!(await skopeo(...inspect, "--no-creds", `docker://${reference}`)).ok);
  const known = await skopeo(...inspect, "--creds", "robot:secret", `docker://${reference}`);
  assert(known.ok, known.stderr);
  assertEquals(registry.issuer?.issued.at(-1)?.user, "robot");
});

withSkopeo("writeOciLayout: skopeo pushes it into the lab registry, as OCI and as Docker", async () => {
  await using registry = await startRegistry();
  const directory = await Deno.makeTempDir();
  const image = buildFirmwareImage({ format: "oci", platforms: PLATFORMS.slice(0, 2) });
  await writeOciLayout(image, directory, "v1");
  const copies = ["oci", "docker"] as const;
  for (const format of copies) {
    const destination = `${registry.host}/${format}/app:v1`;
    await copyLayout({ directory, tag: "v1", destination, toDocker: format === "docker" });
    assertEquals(registry.repository(`${format}/app`).manifest("v1")?.mediaType, MEDIA_TYPES[format].index);
  }
  await Deno.remove(directory, { recursive: true });
  assertEquals(registry.repository("oci/app").tags.get("v1"), image.descriptor.digest);
});

withSkopeo("writeOciLayout: skopeo pushes it into a docker-registry with a password", async () => {
  if (!await available()) return;
  await using registry = await startDockerRegistry({ kind: "htpasswd", user: "robot", password: "secret" });
  const directory = await Deno.makeTempDir();
  await writeOciLayout(buildFirmwareImage({ format: "oci", platforms: PLATFORMS }), directory, "v1");
  const destination = `${registry.host}/team/app:v1`;
  await copyLayout({ directory, tag: "v1", destination, credentials: "robot:secret" });
  await Deno.remove(directory, { recursive: true });
  const inspect = await skopeo(
    "inspect",
    "--raw",
    "--tls-verify=false",
    "--creds",
    "robot:secret",
    `docker://${destination}`,
  );
  assertEquals(JSON.parse(inspect.stdout).manifests.length, PLATFORMS.length);
});
