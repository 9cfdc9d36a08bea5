import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { extractFirmware } from "../../src/firmware/firmware_file.ts";
import { FirmwareError } from "../../src/firmware/firmware_error.ts";
import type { FileHandle } from "../../src/world.ts";
import { tarArchive, tarDirectory, tarFile, tarHardLink, tarSymlink, tarWhiteout } from "../builders/tar.ts";
import { BrokenBlob, extract, refusal, remains, tarLayer, temporaryWorld, text } from "./stand_in_layers.ts";

/** More than any buffer on the way, and not compressible to nothing. */
const LARGE = new Uint8Array(3_000_000).map((_, index) => (index * 2654435761) >>> 13);

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

Deno.test("extractFirmware: large files come out byte for byte in every encoding and chunking", async () => {
  for (const compression of ["gzip", "multi-gzip", "zstd", "none"] as const) {
    for (const chunkSize of [10_000, 1_000_000]) {
      const layer = tarLayer([tarFile("firmware/app.bin", LARGE)], { compression, chunkSize });
      const got = await extract({ layers: [layer] });
      assertEquals(got.sha256, createHash("sha256").update(LARGE).digest("hex"), compression);
      assertEquals(createHash("sha256").update(got.content).digest("hex"), got.sha256);
      assertEquals(layer.finished(), 1);
    }
  }
});

Deno.test("extractFirmware: the name of the temporary file owes nothing to the image", async () => {
  await using place = await temporaryWorld();
  await using file = await extractFirmware(
    {
      layers: [tarLayer([tarFile("firmware/$(reboot);x.bin", "x")])],
      isArtifact: false,
      maxFirmwareSize: 100,
    },
    place.world,
    { signal: new AbortController().signal },
  );
  assert(!file.path.includes("reboot"));
  assertEquals(file.pathInImage, "firmware/$(reboot);x.bin");
  const [directory] = await remains(place.parent);
  assert(file.path.startsWith(`${place.parent}/${directory}/`));
});

Deno.test("extractFirmware: a wrong blob is told as such, not as the damage it does to the decoder", async () => {
  const entries = [tarFile("firmware/app.bin", LARGE.subarray(0, 50_000))];
  for (const compression of ["gzip", "zstd", "none"] as const) {
    for (const at of [0, 3, 40, 600, 20_000]) {
      const layer = tarLayer(entries, {
        compression,
        chunkSize: 1000,
        spoil: (blob) => blob.map((byte, index) => index === at % blob.length ? byte ^ 0x55 : byte),
      });
      await assertRejects(() => extract({ layers: [layer] }), BrokenBlob);
    }
    const truncated = tarLayer(entries, { compression, spoil: (blob) => blob.slice(0, -700) });
    await assertRejects(() => extract({ layers: [truncated] }), BrokenBlob);
    const longer = tarLayer(entries, { compression, spoil: (blob) => new Uint8Array([...blob, 0, 0, 0, 0]) });
    await assertRejects(() => extract({ layers: [longer] }), BrokenBlob);
  }
});

Deno.test("extractFirmware: uncompressed content that the config does not name is refused", async () => {
  const entries = [tarFile("firmware/app.bin", "x")];
  for (const diffId of [`sha256:${"0".repeat(64)}`, `sha512:${"0".repeat(128)}`, "blake3:00"]) {
    const { code, message } = await refusal({ layers: [tarLayer(entries, { diffId })] });
    assertEquals(code, "content-mismatch");
    assertStringIncludes(message, diffId);
  }
  const archive = tarArchive(entries);
  const sha512 = `sha512:${createHash("sha512").update(archive).digest("hex")}`;
  assertEquals(text((await extract({ layers: [tarLayer(entries, { diffId: sha512 })] })).content), "x");
});

Deno.test("extractFirmware: a layer used only to know that it does not matter is verified too", async () => {
  const wrong = `sha256:${"0".repeat(64)}`;
  const below = tarLayer([tarFile("firmware/app.bin", "x")]);
  const { code } = await refusal({ layers: [below, tarLayer([tarFile("readme", "y")], { diffId: wrong })] });
  assertEquals(code, "content-mismatch");
});

Deno.test("extractFirmware: with a path, layers below the answer are not fetched", async () => {
  const bottom = tarLayer([tarFile("firmware/app.bin", "old")]);
  const middle = tarLayer([tarFile("firmware/app.bin", "new")]);
  const top = tarLayer([tarFile("etc/version", "2")]);
  const got = await extract({ layers: [bottom, middle, top], path: "/firmware/app.bin" });
  assertEquals(text(got.content), "new");
  assertEquals(got.layerDigest, middle.digest);
  assertEquals([bottom.opened(), middle.opened(), top.opened()], [0, 1, 1]);
});

Deno.test("extractFirmware: a path that an upper layer removed is not looked for below", async () => {
  const bottom = tarLayer([tarFile("firmware/app.bin", "old")]);
  const top = tarLayer([tarDirectory("firmware"), tarWhiteout("firmware/app.bin")]);
  const { code } = await refusal({ layers: [bottom, top], path: "firmware/app.bin", pathFrom: "label" });
  assertEquals([code, bottom.opened()], ["none-found", 0]);
});

Deno.test("extractFirmware: without a path, every layer that could hold another candidate is fetched", async () => {
  const bottom = tarLayer([tarFile("firmware/other.bin", "other")]);
  const top = tarLayer([tarFile("firmware/app.bin", "app")]);
  assertEquals((await refusal({ layers: [bottom, top] })).code, "several-found");
  const opaque = tarLayer([tarFile("firmware/app.bin", "app"), tarFile("firmware/.wh..wh..opq", "")]);
  const got = await extract({ layers: [bottom, opaque] });
  assertEquals([text(got.content), bottom.opened()], ["app", 1]);
});

Deno.test("extractFirmware: a file that its own layer replaces later is the later one", async () => {
  const layer = tarLayer([
    tarFile("firmware/app.bin", "first, longer"),
    tarFile("firmware/app.bin", "second"),
  ]);
  const got = await extract({ layers: [layer] });
  assertEquals([text(got.content), got.size, layer.opened()], ["second", 6, 1]);
});

Deno.test("extractFirmware: where the first guess was wrong, the layer is read again", async () => {
  const bottom = tarLayer([tarFile("firmware/a.bin", "removed"), tarFile("firmware/b.bin", "kept")]);
  const wrongGuess = await extract({ layers: [bottom, tarLayer([tarWhiteout("firmware/a.bin")])] });
  assertEquals([text(wrongGuess.content), bottom.opened()], ["kept", 1]);

  const linked = tarLayer([
    tarFile("opt/v2.bin", "version 2"),
    tarHardLink("firmware/app.bin", "opt/v2.bin"),
    tarSymlink("current", "opt/../firmware/app.bin"),
  ]);
  assertEquals(text((await extract({ layers: [linked] })).content), "version 2");
  assertEquals(linked.opened(), 2);
  const symlinked = await extract({ layers: [linked], path: "/current" });
  assertEquals([text(symlinked.content), symlinked.pathInImage], ["version 2", "firmware/app.bin"]);
});

Deno.test("extractFirmware: a second reading is verified like the first", async () => {
  const linked = tarLayer([tarFile("opt/v2.bin", "version 2"), tarSymlink("current", "/opt/v2.bin")]);
  const changing = {
    ...linked,
    open: (signal: AbortSignal) => {
      if (linked.opened() === 0) return linked.open(signal);
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(
            tarArchive([tarFile("opt/v2.bin", "version 9"), tarSymlink("current", "/opt/v2.bin")]),
          );
          controller.close();
        },
      });
    },
  };
  assertEquals((await refusal({ layers: [changing], path: "current" })).code, "content-mismatch");
});

Deno.test("extractFirmware: aborting ends it with the signal's reason wherever it is", async () => {
  const layer = tarLayer([tarFile("firmware/app.bin", LARGE)], { chunkSize: 50_000, compression: "none" });
  for (const after of [0, 1, 20, 58]) {
    const controller = new AbortController();
    const reason = new RangeError("stopped");
    let chunks = 0;
    const source = {
      ...layer,
      // A source that knows nothing of signals, and stalls.
      open: () => {
        const reader = layer.open(controller.signal).getReader();
        return new ReadableStream<Uint8Array>({
          async pull(stream) {
            if (chunks++ === after) {
              controller.abort(reason);
              return await new Promise<void>(() => {});
            }
            const { value } = await reader.read();
            if (value !== undefined) stream.enqueue(value);
          },
        }, { highWaterMark: 0 });
      },
    };
    const error = await assertRejects(() => extract({ layers: [source] }, controller.signal), RangeError);
    assertEquals(error, reason, `after ${after} chunks`);
  }
  const before = await assertRejects(() =>
    extract({ layers: [layer] }, AbortSignal.abort(new RangeError("early")))
  );
  assertEquals((before as Error).message, "early");
});

Deno.test("extractFirmware: a full disk is an io failure, and nothing stays on it", async () => {
  await using place = await temporaryWorld();
  const createPrivate = async (path: string): Promise<FileHandle> => {
    const handle = await place.world.files.createPrivate(path);
    let calls = 0;
    const write = (chunk: Uint8Array): Promise<void> =>
      ++calls < 3 ? handle.write(chunk) : Promise.reject(new Error("No space left on device (os error 28)"));
    return { ...handle, write };
  };
  const world = { ...place.world, files: { ...place.world.files, createPrivate } };
  const request = {
    layers: [tarLayer([tarFile("firmware/app.bin", LARGE)])],
    isArtifact: false,
    maxFirmwareSize: 1e7,
  };
  const error = await assertRejects(
    () => extractFirmware(request, world, { signal: new AbortController().signal }),
    FirmwareError,
    "No space left",
  );
  assertEquals(error.code, "io");
  assertEquals(await remains(place.parent), []);
});
