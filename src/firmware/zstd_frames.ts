import { FirmwareError } from "./firmware_error.ts";

/** First bytes of a frame (RFC 8878, 3.1.1), little-endian. */
const FRAME_MAGIC = 0xfd2fb528;

/** First bytes of a skippable frame (RFC 8878, 3.1.2): 0x184D2A50 to 0x184D2A5F. */
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Block_Type values (RFC 8878, 3.1.1.2.2). */
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/**
 * Frames of one stream: zstd:chunked makes one for each file, and an image has at most 100,000 of those. Each one costs a
 * decompressor, however little is in it: a layer of empty frames would keep us for hours.
 */
const MAX_FRAMES = 100_000;

/** Do these four or more bytes begin a Zstandard stream? */
export function isZstd(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const magic = littleEndian(bytes, 4);
  return magic === FRAME_MAGIC || isSkippable(magic);
}

/**
 * Cuts a Zstandard stream into its frames, and fails on one that is cut short or followed by something else.
 *
 * The runtime's decompressor reads one frame: what follows it in the same chunk is lost without a word, and a
 * truncated frame is no error. Layers of several frames are common (pzstd, zstd:chunked), so the frames are
 * found here and decompressed one by one. Skippable frames are skipped.
 */
export class ZstdFrames {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  /** Nothing is read yet. */
  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The bytes of each frame, in order; a frame must be read to its end before the next is asked for. */
  async *frames(): AsyncGenerator<AsyncGenerator<Uint8Array>> {
    for (let count = 1; await this.#fill(); count++) {
      if (count > MAX_FRAMES) {
        throw new FirmwareError(
          "limit",
          `Cannot decompress the layer: it has more than ${MAX_FRAMES} Zstandard frames, expected a firmware image`,
        );
      }
      const magic = await this.#take(4);
      const value = littleEndian(magic, 4);
      if (value === FRAME_MAGIC) {
        yield this.#frame(magic);
      } else if (isSkippable(value)) {
        await this.#skip(littleEndian(await this.#take(4), 4));
      } else {
        throw new SyntaxError("bytes that are no frame follow a Zstandard frame");
      }
    }
  }

  /** One frame (RFC 8878, 3.1.1): magic, header, blocks, checksum. */
  async *#frame(magic: Uint8Array): AsyncGenerator<Uint8Array> {
    yield magic;
    const descriptor = await this.#take(1);
    yield descriptor;
    const flags = descriptor[0] ?? 0;
    const rest = headerLength(flags);
    if (rest > 0) yield await this.#take(rest);
    for (const blocks = new Blocks(); !blocks.ended;) {
      if (!await this.#fill()) throw cutShort();
      const length = blocks.follow(this.#rest);
      yield this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
    }
    if ((flags & 4) !== 0) yield await this.#take(4);
  }

  /** Exactly `length` bytes as one array; only for the few bytes of a header. */
  async #take(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let filled = 0;
    for await (const part of this.#pass(length)) {
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  }

  /** Exactly `length` bytes, as they come. */
  async *#pass(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0;) {
      if (!await this.#fill()) throw cutShort();
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async #skip(length: number): Promise<void> {
    for await (const part of this.#pass(length)) void part;
  }

  /** False at the end of the stream. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return false;
      this.#rest = value;
    }
    return true;
  }
}

/**
 * Follows the blocks of one frame through its chunks, a whole chunk at a time: a block takes three bytes, and a layer
 * of empty ones would keep us for minutes if each were waited for by itself.
 */
class Blocks {
  #header = 0;
  #headerLength = 0;
  #contentLeft = 0;
  #isLast = false;

  /** Has the last block been seen to its end? */
  get ended(): boolean {
    return this.#isLast && this.#contentLeft === 0;
  }

  /** How many bytes of this chunk belong to the blocks: all of them, or those up to the end of the last block. */
  follow(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && !this.ended) {
      if (this.#contentLeft === 0) {
        this.#readHeader(chunk[at++] ?? 0);
      } else {
        const length = Math.min(this.#contentLeft, chunk.length - at);
        this.#contentLeft -= length;
        at += length;
      }
    }
    return at;
  }

  /** Block_Header (RFC 8878, 3.1.1.2): three bytes, little-endian. */
  #readHeader(byte: number): void {
    this.#header += byte * 256 ** this.#headerLength++;
    if (this.#headerLength < 3) return;
    const type = (this.#header >> 1) & 3;
    if (type === RESERVED_BLOCK) throw new SyntaxError("a Zstandard block has the reserved type");
    this.#isLast = (this.#header & 1) === 1;
    this.#contentLeft = type === RLE_BLOCK ? 1 : this.#header >> 3;
    this.#header = this.#headerLength = 0;
  }
}

function cutShort(): SyntaxError {
  return new SyntaxError("the Zstandard stream is cut short");
}

/** Bytes of Window_Descriptor, Dictionary_ID and Frame_Content_Size (RFC 8878, 3.1.1.1). */
function headerLength(flags: number): number {
  const singleSegment = (flags & 0x20) !== 0;
  const sizeFlag = flags >> 6;
  const dictionary = [0, 1, 2, 4][flags & 3] ?? 0;
  const contentSize = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 2 ** sizeFlag;
  return (singleSegment ? 0 : 1) + dictionary + contentSize;
}

function isSkippable(magic: number): boolean {
  return ((magic & 0xfffffff0) >>> 0) === SKIPPABLE_MAGIC;
}

function littleEndian(bytes: Uint8Array, length: number): number {
  return bytes.subarray(0, length).reduceRight((value, byte) => value * 256 + byte, 0);
}
