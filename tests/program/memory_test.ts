/**
 * Memory of `flashjob pull`, which must not grow with the layer.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { codeLikeBytes } from "../builders/esp_bytes.ts";
import { buildImage, buildIndex, FIRMWARE_PATH_LABEL } from "../builders/oci_image.ts";
import { type Compression, type Layer, layerMediaType } from "../builders/oci_layer.ts";
import { tarArchive, tarFile } from "../builders/tar.ts";
import { runProgram } from "../lab/program.ts";
import { startRegistry } from "../lab/registry.ts";
import { blobRequests } from "../lab/registry_fault.ts";

const PIECE = codeLikeBytes(1024 * 1024, 7);
const PIECES = 256;
const FIRMWARE_BYTES = PIECES * PIECE.length;
/** The acceptance limit of resident memory, of which an idle Deno takes some 60 MB. */
const LIMIT_BYTES = 120 * 1024 * 1024;

/** The archive of one file of 256 MB, piece by piece, so that nobody has to hold it. */
function* archive(): Generator<Uint8Array<ArrayBuffer>> {
  yield tarArchive([tarFile("firmware/app.bin", "", { claimedSize: FIRMWARE_BYTES })]).slice(0, 512);
  for (let piece = 0; piece < PIECES; piece++) yield PIECE;
  yield new Uint8Array(1024);
}

/** The archive as it is stored: plain, or as one gzip member for each piece. */
function* encoded(compression: Compression): Generator<Uint8Array<ArrayBuffer>> {
  const packed = new Map<Uint8Array, Uint8Array<ArrayBuffer>>();
  for (const piece of archive()) {
    const bytes = compression === "none"
      ? piece
      : packed.get(piece) ?? new Uint8Array(gzipSync(piece, { level: 1 }));
    packed.set(piece, bytes);
    yield bytes;
  }
}

/** A layer whose descriptor is true and whose bytes are made when they are served. */
function hugeLayer(compression: Compression): Layer {
  const blob = hashOf(encoded(compression));
  return {
    descriptor: { mediaType: layerMediaType("oci", compression), digest: blob.digest, size: blob.size },
    bytes: new Uint8Array(),
    diffId: hashOf(archive()).digest,
  };
}

function hashOf(pieces: Iterable<Uint8Array>): { digest: string; size: number } {
  const hash = createHash("sha256");
  let size = 0;
  for (const piece of pieces) {
    hash.update(piece);
    size += piece.length;
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
}

/** The largest resident memory of a process so far, in bytes; `undefined` once it has ended. */
function peakMemory(pid: number): number | undefined {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    // Gone, which the runtime tells in several ways.
    return undefined;
  }
}

for (const compression of ["none", "gzip"] as const) {
  Deno.test({
    name: `flashjob pull: a layer of 256 MB (${compression}) takes less than 120 MB of memory`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      const layer = hugeLayer(compression);
      const platform = { os: "custom", architecture: "esp32s3" };
      const labels = { [FIRMWARE_PATH_LABEL]: "/firmware/app.bin" };
      const image = buildIndex({
        format: "oci",
        entries: [buildImage({ format: "oci", platform, layers: [layer], labels })],
      });
      await using registry = await startRegistry();
      const reference = registry.put(image, "team/huge", "1");
      registry.fault({
        match: blobRequests(layer.descriptor.digest),
        action: () => ({
          status: 200,
          headers: [["Content-Length", String(layer.descriptor.size)]],
          body: encoded(compression),
        }),
      });
      const directory = await Deno.makeTempDir({ prefix: "memory-" });
      try {
        const output = `${directory}/app.bin`;
        let peak = 0;
        let watch: ReturnType<typeof setInterval> | undefined;
        const run = await runProgram(["pull", reference, "--device", "esp32s3", "--output", output], {
          onStart: ({ pid }) => {
            watch = setInterval(() => peak = Math.max(peak, peakMemory(pid) ?? 0), 20);
          },
        });
        clearInterval(watch);
        assertEquals(run.code, 0, run.stdout + run.stderr);
        // Reading to the end closes it.
        const file = await Deno.open(output);
        const hash = createHash("sha256");
        for await (const chunk of file.readable) hash.update(chunk);
        const wanted = createHash("sha256");
        for (let piece = 0; piece < PIECES; piece++) wanted.update(PIECE);
        assertEquals(hash.digest("hex"), wanted.digest("hex"));
        const megabytes = Math.round(peak / 1024 / 1024);
        console.log(`peak of flashjob pull, 256 MB, ${compression}: ${megabytes} MB`);
        assert(peak > 0 && peak < LIMIT_BYTES, `${megabytes} MB`);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}
