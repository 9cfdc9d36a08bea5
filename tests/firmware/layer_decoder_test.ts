import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { FirmwareError } from "../../src/firmware/firmware_error.ts";
import { decodeLayer } from "../../src/firmware/layer_decoder.ts";
import { ZstdFrames } from "../../src/firmware/zstd_frames.ts";
import { concatBytes, tarArchive, tarFile } from "../builders/tar.ts";
import { bytes } from "./stand_in_layers.ts";

/** Some compressible content of 200,000 bytes: more than a block of either format. */
const CONTENT = new Uint8Array(200_000).map((_, index) => (index * index) >> 7);
const HALVES = [CONTENT.subarray(0, 90_001), CONTENT.subarray(90_001)] as const;
/** A skippable frame (RFC 8878, 3.1.2) of 6 bytes. */
const SKIPPABLE = new Uint8Array([0x5a, 0x2a, 0x4d, 0x18, 6, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
/** A frame of a single run-length block, written by hand: 3 times `x`, no checksum. */
const RUN = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0b0001_1011, 0, 0, 0x78]);

/** A frame of 50,000 empty blocks (RFC 8878, 3.1.1.2), written by hand: 150,000 bytes that hold nothing. */
const EMPTY_BLOCKS = concatBytes([
  new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58]),
  new Uint8Array(49_999 * 3),
  new Uint8Array([1, 0, 0]),
]);

const ENCODINGS: Readonly<Record<string, readonly [encoded: Uint8Array, decoded: Uint8Array]>> = {
  "plain": [CONTENT, CONTENT],
  "plain and empty": [bytes(""), bytes("")],
  "plain and shorter than a magic number": [bytes("ab"), bytes("ab")],
  "gzip": [gzipSync(CONTENT), CONTENT],
  "gzip of several members": [concatBytes(HALVES.map((half) => gzipSync(half))), CONTENT],
  "gzip closed by an empty member, as eStargz": [
    concatBytes([gzipSync(CONTENT), gzipSync(bytes(""))]),
    CONTENT,
  ],
  "zstd": [zstdCompressSync(CONTENT), CONTENT],
  "zstd of several frames": [concatBytes(HALVES.map((half) => zstdCompressSync(half))), CONTENT],
  "zstd with skippable frames, as zstd:chunked": [
    concatBytes([SKIPPABLE, zstdCompressSync(HALVES[0]), SKIPPABLE, zstdCompressSync(HALVES[1]), SKIPPABLE]),
    CONTENT,
  ],
  "zstd of nothing": [zstdCompressSync(bytes("")), bytes("")],
  "zstd of a run": [RUN, bytes("xxx")],
  "zstd of empty blocks": [EMPTY_BLOCKS, bytes("")],
};

async function* pieces(whole: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield await Promise.resolve(whole.slice(at, at + size));
}

async function decode(encoded: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return concatBytes(await Array.fromAsync(decodeLayer(encoded)));
}

for (const [name, [encoded, decoded]] of Object.entries(ENCODINGS)) {
  Deno.test(`decodeLayer: ${name}, whole and in pieces`, async () => {
    for (const size of [encoded.length + 1, 4096, 1001]) {
      assertEquals(await decode(pieces(encoded, size)), decoded, `pieces of ${size}`);
    }
  });
}

Deno.test("decodeLayer: members and frames may be split anywhere between chunks", async () => {
  const small = [bytes("first half, "), bytes("second half")] as const;
  for (
    const encoded of [
      concatBytes(small.map((half) => gzipSync(half))),
      concatBytes([SKIPPABLE, ...small.map((half) => zstdCompressSync(half)), RUN.subarray(0, 0)]),
    ]
  ) {
    for (let size = 1; size < encoded.length; size++) {
      assertEquals(await decode(pieces(encoded, size)), concatBytes(small), `pieces of ${size}`);
    }
  }
});

Deno.test("decodeLayer: a stream cut short anywhere after its magic number is refused, not shortened", async () => {
  const short = bytes("a short layer, a short layer, a short layer");
  for (const encoded of [gzipSync(short), zstdCompressSync(short), RUN, SKIPPABLE]) {
    for (let length = 4; length < encoded.length; length++) {
      const error = await assertRejects(() => decode(pieces(encoded.subarray(0, length), 16)), FirmwareError);
      assertEquals(error.code, "corrupt-archive", `${length} of ${encoded.length}`);
    }
  }
});

Deno.test("decodeLayer: a second member or frame cut short is refused", async () => {
  for (const compress of [gzipSync, zstdCompressSync]) {
    const two = concatBytes([compress(bytes("one")), compress(bytes("two"))]);
    for (let cut = 1; cut < compress(bytes("two")).length; cut++) {
      await assertRejects(() => decode(pieces(two.subarray(0, two.length - cut), 999)), FirmwareError);
    }
  }
});

Deno.test("decodeLayer: bytes that belong to no member or frame are refused", async () => {
  for (const compress of [gzipSync, zstdCompressSync]) {
    const encoded = concatBytes([compress(CONTENT), bytes("trailing garbage")]);
    for (const size of [encoded.length, 777]) {
      await assertRejects(() => decode(pieces(encoded, size)), FirmwareError, "Cannot decompress");
    }
  }
});

Deno.test("decodeLayer: a changed byte is never decoded to something else without an error", async () => {
  const short = bytes("a layer with a checksum ".repeat(20));
  // zlib writes no checksum into Zstandard by default: only the gzip one is there to detect every change.
  const encoded = gzipSync(short);
  await fc.assert(
    fc.asyncProperty(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const spoiled = new Uint8Array(encoded);
      spoiled[at] = (spoiled[at] ?? 0) ^ change;
      const [outcome] = await Promise.allSettled([decode(pieces(spoiled, 64))]);
      if (outcome.status === "rejected") return outcome.reason instanceof FirmwareError;
      // Header fields without meaning (time, flags of the system), or a magic number that is none any more.
      return at < 10 || outcome.value.join() === short.join();
    }),
    { seed: 20, numRuns: 300 },
  );
});

Deno.test("decodeLayer: what reads only the beginning leaves nothing running", async () => {
  for (const compress of [gzipSync, zstdCompressSync]) {
    let given = 0;
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      const encoded = compress(CONTENT);
      for (; given < 1000; given++) yield await Promise.resolve(encoded);
    };
    for await (const chunk of decodeLayer(endless())) {
      assertEquals(chunk.every((byte, at) => byte === CONTENT[at]), true);
      break;
    }
    assertEquals(given < 20, true, `${given} chunks taken`);
  }
});

Deno.test("decodeLayer: a layer of endlessly many empty frames is left", async () => {
  const empty = new Uint8Array(zstdCompressSync(new Uint8Array(0)));
  let frames = 0;
  async function* flood(): AsyncGenerator<Uint8Array> {
    for (; frames < 1_000_000; frames += 1000) yield concatBytes(Array.from({ length: 1000 }, () => empty));
    await Promise.resolve();
  }
  const error = await assertRejects(() => Array.fromAsync(decodeLayer(flood())), FirmwareError);
  assertEquals([error.code, frames <= 101_000], ["limit", true]);
});

Deno.test("ZstdFrames: a frame is handed on chunk by chunk, however many blocks a chunk holds", async () => {
  const whole = concatBytes([EMPTY_BLOCKS, zstdCompressSync(CONTENT)]);
  const frames: Uint8Array[][] = [];
  for await (const frame of new ZstdFrames(pieces(whole, 65_536)).frames()) {
    frames.push(await Array.fromAsync(frame));
  }
  assertEquals(frames.map(concatBytes), [EMPTY_BLOCKS, new Uint8Array(zstdCompressSync(CONTENT))]);
  // three parts of its header, a part for each chunk, a checksum
  assertEquals(frames.map((parts) => parts.length <= 7), [true, true]);
});

Deno.test("decodeLayer: xz and bzip2 are refused by name, with what to do", async () => {
  // "abc" as xz 5.6 and bzip2 1.0 write it, and nothing as bzip2 does
  const foreign = [
    ["xz", "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQACYWJjAAAndicaSgnYLAABGwMLL7kQH7bzfQEAAAAABFla"],
    ["bzip2", "QlpoOTFBWSZTWWSMu3MAAAABADgAIAAhmBmEYXckU4UJBkjLtzA="],
    ["bzip2", "QlpoORdyRThQkAAAAAA="],
  ] as const;
  for (const [name, base64] of foreign) {
    const error = await assertRejects(() => decode(pieces(Uint8Array.fromBase64(base64), 3)), FirmwareError);
    assertEquals(error.code, "corrupt-archive");
    assertStringIncludes(
      error.message,
      `compressed with ${name}, wanted gzip, Zstandard or neither; build the`,
    );
  }
});

Deno.test("decodeLayer: a file's name that begins like a foreign format is a name", async () => {
  for (const name of ["BZh9-notes.txt", "7zXZ.bin"]) {
    const archive = tarArchive([tarFile(name, "x")]);
    assertEquals(await decode(pieces(archive, 999)), archive);
  }
});
