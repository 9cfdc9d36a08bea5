import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { FirmwareError } from "./firmware_error.ts";
import { isZstd, ZstdFrames } from "./zstd_frames.ts";

/** Bytes a decompressor hands out at once: large enough that the cost per chunk vanishes, small beside the heap. */
const CHUNK_SIZE = 64 * 1024;

/** Enough to tell gzip (2 bytes, RFC 1952), Zstandard (4 bytes, RFC 8878), xz (6 bytes) and bzip2 (10 bytes) apart. */
const MAGIC_LENGTH = 10;

/** How an xz stream begins (xz file format 1.2, 2.1.1.1). */
const XZ_MAGIC = "\xfd7zXZ\0";

/** What follows `BZh` and a digit in bzip2: a block, or the end of nothing. The header alone may begin a file's name. */
const BZIP2_MAGICS: readonly string[] = ["1AY&SY", "\x17rE8P\x90"];

/**
 * The uncompressed content of a layer: gzip of any number of members, Zstandard of any number of frames, or as it is.
 * Told apart by the first bytes, as media types lie.
 *
 * Throws {@linkcode FirmwareError} `corrupt-archive` when it cannot be decompressed to its end, be it that `compressed`
 * itself failed: {@linkcode LayerReader.drain} tells which it was.
 */
export async function* decodeLayer(compressed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { start, all } = await peek(compressed, MAGIC_LENGTH);
  // Trust boundary: from here on bytes that nobody has verified are being interpreted.
  if (start[0] === 0x1f && start[1] === 0x8b) {
    yield* decompressed(createGunzip({ chunkSize: CHUNK_SIZE }), all);
  } else if (isZstd(start)) {
    try {
      for await (const frame of new ZstdFrames(all).frames()) {
        yield* decompressed(createZstdDecompress({ chunkSize: CHUNK_SIZE }), frame);
      }
    } catch (error) {
      throw corrupt(error);
    }
  } else {
    const foreign = foreignFormat(start);
    if (foreign !== undefined) {
      throw new FirmwareError(
        "corrupt-archive",
        `Cannot decompress the layer: it is compressed with ${foreign}, wanted gzip, Zstandard or neither; ` +
          "build the image again with one of those",
      );
    }
    yield* all;
  }
}

/** Formats that the image-spec does not have and some tools read all the same. */
function foreignFormat(start: Uint8Array): string | undefined {
  const text = String.fromCharCode(...start.subarray(0, MAGIC_LENGTH));
  if (text.startsWith(XZ_MAGIC)) return "xz";
  return text.startsWith("BZh") && BZIP2_MAGICS.includes(text.slice(4)) ? "bzip2" : undefined;
}

/** The first `length` bytes, or fewer where there are no more, and the whole again from its beginning. */
export async function peek(
  chunks: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ readonly start: Uint8Array; readonly all: AsyncGenerator<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  let start: Uint8Array = new Uint8Array(0);
  let ended = false;
  while (start.length < length && !ended) {
    const { done, value } = await iterator.next();
    ended = done === true;
    if (!done) start = start.length === 0 ? value : joined(start, value);
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    if (start.length > 0) yield start;
    while (!ended) {
      const { done, value } = await iterator.next();
      if (done) return;
      yield value;
    }
  }
  return { start, all: all() };
}

async function* decompressed(
  decompressor: Transform,
  compressed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const feeding = feed(decompressor, compressed);
  try {
    for await (const chunk of decompressor) yield chunk;
    await feeding;
  } catch (error) {
    throw corrupt(error);
  } finally {
    decompressor.destroy();
  }
}

/** Never rejects: a failure reaches the reader of the decompressor through it. */
async function feed(decompressor: Transform, compressed: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of compressed) {
      await new Promise<void>((resolve, reject) => {
        decompressor.write(chunk, (error) => error ? reject(error) : resolve());
      });
    }
    decompressor.end();
  } catch (error) {
    decompressor.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function corrupt(cause: unknown): FirmwareError {
  if (cause instanceof FirmwareError) return cause;
  const found = cause instanceof Error ? cause.message : String(cause);
  return new FirmwareError(
    "corrupt-archive",
    `Cannot decompress the layer: ${found}, expected whole gzip or Zstandard`,
    {
      cause,
    },
  );
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
