/**
 * An index of which the registry holds only a part, as copies for one platform are.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { InspectScene } from "../cli/inspect_scene.ts";

Deno.test("flashjob inspect: what a sparse index lacks is listed by its entry, and the rest is inspected", async () => {
  await using scene = await InspectScene.open();
  const { manifests } = scene.registry.repository("team/thermo");
  const [, esp32, esp32c6] = scene.image.manifests.map(({ descriptor }) => descriptor);
  for (const missing of [esp32, esp32c6]) manifests.delete(missing?.digest ?? "");

  const { code, stdout, stderr } = await scene.inspect(scene.reference, "--device", "esp32s3");
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "1 image, 2 unreadable, 3 attestations\n");
  for (const missing of [esp32, esp32c6]) {
    assertStringIncludes(
      stdout,
      `An entry for custom/${missing?.platform?.architecture} that cannot be read\n`,
    );
    assertStringIncludes(stdout, missing?.digest ?? "");
    assertEquals(stderr.split("\n").filter((line) => line.includes(missing?.digest ?? "")).length, 1, stderr);
  }

  const { json } = await scene.inspectJson(scene.reference, "--device", "esp32s3");
  assertEquals(json.image?.entries.slice(0, 3).map(({ kind, size, layers }) => [kind, size, layers.length]), [
    ["image", scene.image.manifests[0]?.descriptor.size, 1],
    ["unreadable", esp32?.size, 0],
    ["unreadable", esp32c6?.size, 0],
  ]);
  assertEquals(json.firmware?.verdict.state, "accepted");
});
