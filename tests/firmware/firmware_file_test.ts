import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { tarDirectory, tarFile } from "../builders/tar.ts";
import { extract, tarLayer, text } from "./stand_in_layers.ts";

Deno.test("extractFirmware: the only file under firmware/ becomes a private file with its digests", async () => {
  const layer = tarLayer([tarDirectory("firmware"), tarFile("firmware/app.bin", "the firmware")]);
  const got = await extract({ layers: [layer] });
  assertEquals(text(got.content), "the firmware");
  assertEquals(got.pathInImage, "firmware/app.bin");
  assertEquals(got.size, 12);
  assertEquals(got.sha256, createHash("sha256").update("the firmware").digest("hex"));
  assertEquals(got.layerDigest, layer.digest);
  assertEquals(got.mode, 0o600);
  assertEquals([layer.opened(), layer.finished()], [1, 1]);
});
