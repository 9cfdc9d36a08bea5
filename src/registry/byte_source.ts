/** Bytes that are fetched when somebody asks for them, so that nothing is read ahead of its consumer. */
export interface ByteSource {
  /** The next bytes, or `undefined` at the end; rejects when there is no good end. */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Gives up; nothing is read afterwards. May be called at any time, more than once. */
  close(): Promise<void>;
}

/** A stream that pulls from a source: no queue of its own, the source closed on every way out. */
export function streamOf(source: ByteSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller): Promise<void> {
      try {
        const bytes = await source.read();
        if (bytes !== undefined) return controller.enqueue(bytes);
        await source.close();
        controller.close();
      } catch (error) {
        await source.close();
        throw error;
      }
    },
    cancel: () => source.close(),
  }, { highWaterMark: 0 });
}

/** Bytes at hand as a source. */
export function sourceOfBytes(bytes: Uint8Array<ArrayBuffer>): ByteSource {
  let left: Uint8Array<ArrayBuffer> | undefined = bytes;
  return {
    read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
      const given = left;
      left = undefined;
      return Promise.resolve(given);
    },
    close: () => Promise.resolve(),
  };
}
