import { Buffer } from "node:buffer";
import type { Socket } from "node:net";

/** Content type, version, length (RFC 5246, section 6.2.1). */
const RECORD_HEADER_BYTES = 5;

/**
 * Reads a TCP connection one TLS record at a time, and takes from the system only what a record needs (with what
 * one read of the system brings along).
 */
export class RecordReader {
  readonly #tcp: Socket;
  #taken = Buffer.alloc(0);
  #ended = false;
  #change = Promise.withResolvers<void>();

  /** Takes over reading from `tcp`. */
  constructor(tcp: Socket) {
    this.#tcp = tcp.pause();
    tcp.on("data", (bytes: Buffer) => {
      tcp.pause();
      this.#taken = Buffer.concat([this.#taken, bytes]);
      this.#notice();
    });
    for (const name of ["end", "close", "error"]) {
      tcp.on(name, () => {
        this.#ended = true;
        this.#notice();
      });
    }
  }

  /** One record, or what came of it before the end; `null` at the end. Rejects when the connection broke. */
  async next(): Promise<Uint8Array | null> {
    await this.#fill(RECORD_HEADER_BYTES);
    if (this.#taken.length >= RECORD_HEADER_BYTES) {
      await this.#fill(RECORD_HEADER_BYTES + this.#taken.readUInt16BE(3));
    }
    const length = this.#taken.length < RECORD_HEADER_BYTES
      ? this.#taken.length
      : RECORD_HEADER_BYTES + this.#taken.readUInt16BE(3);
    if (length === 0 && this.#tcp.errored) throw this.#tcp.errored;
    const record = this.#taken.subarray(0, length);
    this.#taken = this.#taken.subarray(length);
    return length === 0 ? null : record;
  }

  async #fill(length: number): Promise<void> {
    while (this.#taken.length < length && !this.#ended) {
      this.#tcp.resume();
      await this.#change.promise;
    }
  }

  #notice(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
