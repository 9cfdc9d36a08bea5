/** One layer of an image, not yet fetched. */
export interface LayerSource {
  /** Digest of the compressed blob, `sha256:...`. */
  readonly digest: string;
  /** Bytes of the compressed blob. */
  readonly size: number;
  /** As the manifest says; the content is judged by its own first bytes. */
  readonly mediaType: string;
  /** Annotation `org.opencontainers.image.title`: the file name of an artifact's layer. */
  readonly title?: string;
  /** Digest of the uncompressed layer, from the image's config. */
  readonly diffId?: string;
  /** Starts fetching. The stream fails unless what it gave, read to its end, has the digest and the size. */
  open(signal: AbortSignal): ReadableStream<Uint8Array>;
}

/**
 * The compressed bytes of one layer. It remembers a failure of the stream, because a broken blob is noticed first by
 * whoever decodes it, long before the stream has reached the end where it can tell that the digest is wrong.
 */
export class LayerReader implements Disposable {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  #ended = false;
  #failure: { readonly reason: unknown } | undefined;

  /** Starts fetching, until `signal` is aborted. */
  constructor(layer: LayerSource, signal: AbortSignal) {
    this.#signal = signal;
    this.#reader = layer.open(signal).getReader();
    this.#onAbort = () => this.#cancel();
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Chunks up to the verified end; throws what the stream threw, or the signal's reason. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) yield chunk;
  }

  /** Reads what is left, so that the stream can verify itself; throws what the stream threw, now or before. */
  async drain(): Promise<void> {
    while (await this.#next() !== undefined);
  }

  /** Lets go of the stream, read to its end or not. */
  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    if (!this.#ended) this.#cancel();
  }

  async #next(): Promise<Uint8Array | undefined> {
    this.#signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.reason;
    try {
      const { done, value } = await this.#reader.read();
      // A cancelled stream ends as if it were complete: the signal tells them apart.
      this.#signal.throwIfAborted();
      this.#ended = done;
      return value;
    } catch (reason) {
      this.#failure ??= { reason };
      this.#ended = true;
      throw reason;
    }
  }

  #cancel(): void {
    // The reader of a failed stream cannot be cancelled, and needs not be.
    this.#reader.cancel(this.#signal.reason).catch(() => undefined);
  }
}
