/** The bytes of a file in memory, which also tells how much of it was asked for. */
export interface BytesSource {
  /** Bytes. */
  readonly size: number;
  /** Sum of the lengths of all reads so far. */
  readonly bytesRead: number;
  /** Length of the longest buffer that was to be filled. */
  readonly largestRead: number;
  /** Reads at `offset` into `into`; returns the number of bytes read, 0 at the end. */
  readAt(offset: number, into: Uint8Array): Promise<number>;
}

/** `bytes` as a random-access file. */
export function bytesSource(bytes: Uint8Array): BytesSource {
  let bytesRead = 0;
  let largestRead = 0;
  return {
    size: bytes.length,
    get bytesRead() {
      return bytesRead;
    },
    get largestRead() {
      return largestRead;
    },
    readAt(offset, into) {
      const piece = bytes.subarray(offset, offset + into.length);
      into.set(piece);
      bytesRead += piece.length;
      largestRead = Math.max(largestRead, into.length);
      return Promise.resolve(piece.length);
    },
  };
}
