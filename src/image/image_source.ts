import { ImageError } from "./image_error.ts";

/** Random access to the bytes of a file that may be an image. */
export interface ImageSource {
  /** Bytes. */
  readonly size: number;
  /** Reads at `offset` into `into`; returns the number of bytes read, 0 at the end. */
  readAt(offset: number, into: Uint8Array): Promise<number>;
}

/** Somebody who looks at the bytes of a file from its beginning up to `end`. */
export interface ByteTap {
  /** File offset at which it has seen enough. */
  readonly end: number;
  /** Takes the next bytes, which stand at `offset`; they are only valid during the call. */
  update(bytes: Uint8Array, offset: number): void;
}

/** One read: large enough that 4 MB take 64 of them, small enough to stay in a processor's cache. */
export const windowSize = 64 * 1024;

/**
 * Up to `length` bytes at `offset`: fewer, or none, where the file ends. Callers ask for constants, never for
 * a length that the file itself states.
 *
 * @throws {ImageError} `file-changed`
 */
export async function readUpTo(
  source: ImageSource,
  range: { readonly offset: number; readonly length: number; readonly signal?: AbortSignal | undefined },
): Promise<Uint8Array> {
  const available = Math.max(0, Math.min(range.length, source.size - range.offset));
  const bytes = new Uint8Array(available);
  await fill(source, range.offset, { into: bytes, signal: range.signal });
  return bytes;
}

/**
 * Shows the file to every tap in one pass, window by window, with one buffer for all of them.
 *
 * @throws {ImageError} `file-changed`
 */
export async function readThrough(
  source: ImageSource,
  taps: readonly ByteTap[],
  signal?: AbortSignal,
): Promise<void> {
  const end = Math.min(source.size, Math.max(0, ...taps.map((tap) => tap.end)));
  const buffer = new Uint8Array(Math.min(windowSize, end));
  for (let offset = 0; offset < end; offset += windowSize) {
    const window = buffer.subarray(0, Math.min(windowSize, end - offset));
    await fill(source, offset, { into: window, signal });
    for (const tap of taps) {
      const wanted = Math.min(window.length, tap.end - offset);
      if (wanted > 0) tap.update(window.subarray(0, wanted), offset);
    }
  }
}

async function fill(
  source: ImageSource,
  offset: number,
  target: { readonly into: Uint8Array; readonly signal: AbortSignal | undefined },
): Promise<void> {
  let filled = 0;
  while (filled < target.into.length) {
    target.signal?.throwIfAborted();
    const count = await source.readAt(offset + filled, target.into.subarray(filled));
    if (count <= 0) {
      throw new ImageError(
        "file-changed",
        `Cannot read the image at offset ${
          offset + filled
        }: the file ends there, but was ${source.size} bytes long when it was opened`,
      );
    }
    filled += count;
  }
}
