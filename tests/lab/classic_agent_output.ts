import { Buffer } from "node:buffer";

/** What the C library gathers for a pipe before it writes. */
const PIPE_BUFFER_BYTES = 4096;

/** stdout as the C library has it on a pipe: held until a block is full, until `flush`, or until the exit. */
export class BlockBufferedOutput {
  #held = new Uint8Array();

  /** What `printf` does. */
  print(text: string): void {
    this.#held = Buffer.concat([this.#held, Buffer.from(text)]);
    while (this.#held.length >= PIPE_BUFFER_BYTES) {
      writeAll(Deno.stdout, this.#held.subarray(0, PIPE_BUFFER_BYTES));
      this.#held = this.#held.subarray(PIPE_BUFFER_BYTES);
    }
  }

  /** What `fflush` and the exit do. */
  flush(): void {
    writeAll(Deno.stdout, this.#held);
    this.#held = new Uint8Array();
  }
}

/** Writes all of `bytes`. */
export function writeAll(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}
