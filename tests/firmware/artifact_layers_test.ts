import { assertEquals, assertStringIncludes } from "@std/assert";
import { tarArchive, tarFile } from "../builders/tar.ts";
import { bytes, bytesLayer, extract, refusal, tarLayer, text } from "./stand_in_layers.ts";

const TAR = "application/vnd.oci.image.layer.v1.tar+gzip";
const RAW = "application/octet-stream";

function raw(content: string, title?: string): ReturnType<typeof bytesLayer> {
  return bytesLayer(bytes(content), {
    mediaType: RAW,
    diffId: null,
    ...(title === undefined ? {} : { title }),
  });
}

Deno.test("artifactLayers: the only layer is the firmware itself", async () => {
  const layer = raw("raw firmware", "app.bin");
  const got = await extract({ layers: [layer], isArtifact: true });
  assertEquals([text(got.content), got.pathInImage, got.layerDigest], [
    "raw firmware",
    "app.bin",
    layer.digest,
  ]);
  assertEquals(layer.finished(), 1);
});

Deno.test("artifactLayers: the only layer without a title is named by its digest", async () => {
  const layer = raw("raw firmware");
  assertEquals((await extract({ layers: [layer], isArtifact: true })).pathInImage, layer.digest);
});

Deno.test("artifactLayers: a path still gets the only layer when that has no title", async () => {
  const got = await extract({
    layers: [raw("raw firmware")],
    isArtifact: true,
    path: "app.bin",
    pathFrom: "flag",
  });
  assertEquals(text(got.content), "raw firmware");
});

Deno.test("artifactLayers: the only layer under another title is refused by its name", async () => {
  const { code, message } = await refusal({
    layers: [raw("a bootloader", "bootloader.bin")],
    isArtifact: true,
    path: "app.bin",
    pathFrom: "flag",
  });
  assertEquals(code, "none-found");
  assertStringIncludes(message, "'app.bin'");
  assertStringIncludes(message, "found 'bootloader.bin'");
});

Deno.test("artifactLayers: the only layer under another title may be an archive that holds the path", async () => {
  const layers = [tarLayer([tarFile("opt/app.bin", "inside")], { mediaType: RAW, title: "all.tgz" })];
  assertEquals(text((await extract({ layers, isArtifact: true, path: "opt/app.bin" })).content), "inside");
});

Deno.test("artifactLayers: two names that could be anywhere are not the same name", async () => {
  const layers = [raw("a bootloader", "../build/bootloader.bin"), raw("notes", "notes.txt")];
  assertEquals((await refusal({ layers, isArtifact: true, path: "../build/app.bin" })).code, "none-found");
  const got = await extract({ layers, isArtifact: true, path: "../build/bootloader.bin" });
  assertEquals(text(got.content), "a bootloader");
});

Deno.test("artifactLayers: the layer whose title is the path", async () => {
  const others = raw("notes", "notes.md");
  const layers = [others, raw("the right one", "app.bin"), raw("other", "boot.bin")];
  const got = await extract({ layers, isArtifact: true, path: "./app.bin" });
  assertEquals([text(got.content), got.pathInImage, others.opened()], ["the right one", "app.bin", 0]);
});

Deno.test("artifactLayers: a titled archive asked for by its title is taken as it is", async () => {
  const archive = tarArchive([tarFile("firmware/app.bin", "inside")]);
  const layers = [bytesLayer(archive, { title: "all.tar", mediaType: "application/x-tar" }), raw("y", "b")];
  const got = await extract({ layers, isArtifact: true, path: "all.tar" });
  assertEquals(got.size, archive.length);
});

Deno.test("artifactLayers: the only layer that is no archive", async () => {
  const archive = tarLayer([tarFile("doc/readme", "x")], { mediaType: TAR });
  const got = await extract({ layers: [archive, raw("firmware", "app.bin")], isArtifact: true });
  assertEquals([text(got.content), archive.opened()], ["firmware", 0]);
});

Deno.test("artifactLayers: the only layer may be an archive, whatever its media type says", async () => {
  for (const mediaType of [TAR, RAW]) {
    for (const compression of ["none", "gzip", "zstd"] as const) {
      const layer = tarLayer([tarFile("firmware/app.bin", "inside")], {
        mediaType,
        compression,
        title: "all.tgz",
      });
      const got = await extract({ layers: [layer], isArtifact: true });
      assertEquals([text(got.content), got.pathInImage], ["inside", "firmware/app.bin"]);
    }
  }
});

Deno.test("artifactLayers: archives only are unpacked like an image", async () => {
  const layers = [
    tarLayer([tarFile("firmware/app.bin", "old")], { mediaType: TAR }),
    tarLayer([tarFile("firmware/app.bin", "new")], { mediaType: TAR }),
  ];
  assertEquals(text((await extract({ layers, isArtifact: true })).content), "new");
});

Deno.test("artifactLayers: a path without a title is looked for in the archives", async () => {
  const layers = [tarLayer([tarFile("opt/app.bin", "inside")], { mediaType: TAR }), raw("notes", "notes.md")];
  assertEquals(text((await extract({ layers, isArtifact: true, path: "opt/app.bin" })).content), "inside");
});

Deno.test("artifactLayers: several files and no path are a refusal that lists them", async () => {
  const { code, message } = await refusal({
    layers: [raw("a", "app.bin"), raw("b", "boot.bin")],
    isArtifact: true,
  });
  assertEquals(code, "several-found");
  assertStringIncludes(message, "'app.bin', 'boot.bin'");
});

Deno.test("artifactLayers: two layers of the wanted title are a refusal", async () => {
  const layers = [raw("a", "app.bin"), raw("b", "app.bin")];
  assertEquals((await refusal({ layers, isArtifact: true, path: "app.bin" })).code, "several-found");
});

Deno.test("artifactLayers: a title that is not there is a refusal that lists the others", async () => {
  const layers = [raw("a", "app.bin"), raw("b", "boot.bin")];
  const { code, message } = await refusal({ layers, isArtifact: true, path: "ap.bin" });
  assertEquals(code, "none-found");
  assertStringIncludes(message, "'app.bin', 'boot.bin'");
});

Deno.test("artifactLayers: an empty file is no firmware", async () => {
  assertEquals((await refusal({ layers: [raw("", "app.bin")], isArtifact: true })).code, "none-found");
});

Deno.test("artifactLayers: the size limit holds for a file that is a layer", async () => {
  const layers = [raw("x".repeat(101), "app.bin")];
  assertEquals((await refusal({ layers, isArtifact: true, maxFirmwareSize: 100 })).code, "limit");
});

Deno.test("artifactLayers: a raw layer in something that is no artifact is refused", async () => {
  assertEquals((await refusal({ layers: [raw("raw firmware", "app.bin")] })).code, "corrupt-archive");
});
