import { assertEquals } from "@std/assert";
import { digestOf } from "./oci_content.ts";
import { buildFirmwareImage } from "./oci_image.ts";
import { writeOciLayout } from "./oci_layout.ts";

Deno.test("writeOciLayout: the index names the tag and every blob lies under its digest", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const platforms = [{ architecture: "esp32", firmware: new Uint8Array(100) }];
    const image = buildFirmwareImage({ format: "oci", platforms });
    await writeOciLayout(image, directory, "v1");
    const index = JSON.parse(await Deno.readTextFile(`${directory}/index.json`));
    assertEquals(index.manifests[0].digest, image.descriptor.digest);
    assertEquals(index.manifests[0].annotations, { "org.opencontainers.image.ref.name": "v1" });
    assertEquals(JSON.parse(await Deno.readTextFile(`${directory}/oci-layout`)).imageLayoutVersion, "1.0.0");
    const names = (await Array.fromAsync(Deno.readDir(`${directory}/blobs/sha256`))).map((entry) =>
      entry.name
    );
    assertEquals(names.length, 4);
    for (const name of names) {
      assertEquals(digestOf(await Deno.readFile(`${directory}/blobs/sha256/${name}`)), `sha256:${name}`);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
