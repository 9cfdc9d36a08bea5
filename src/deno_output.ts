/** Standard output or standard error of the process. */
export interface ByteSink {
  /** Takes some of the bytes; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Kept for a reader that has stopped reading; later texts are left out and counted. A job's log is some 10 kB. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** How long a reader may take nothing before the other stream goes ahead of it, or the program ends. */
const PATIENCE = 2000;

/** Until a pipe that somebody made non-blocking is tried again. */
const FULL_INTERVAL = 20;

/**
 * One output of the process, written in order and never waited for by those who write: a reader that has stopped
 * reading must not stop a job, nor its answer to a signal; and one that has gone must not turn a done job into a
 * failure, as the exit code still tells it.
 */
export class DenoOutput {
  readonly #sink: ByteSink;
  #queue: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  #writtenBytes = 0;
  #leftOut = 0;
  #isClosed = false;

  /** Writes nothing yet. */
  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Queues text, behind what `other` holds by now: on a terminal and in a pod's log both are one. */
  write(text: string, other?: DenoOutput): void {
    if (this.#isClosed) return;
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      this.#leftOut++;
      return;
    }
    const bytes = new TextEncoder().encode(text);
    this.#waitingBytes += bytes.length;
    const turn = other?.drained();
    this.#queue = this.#queue.then(() => turn).then(() => this.#put(bytes));
  }

  /** Resolves when everything so far is written, or when its reader has taken nothing for a while. */
  async drained(): Promise<void> {
    const soFar = this.#queue.then(() => true);
    for (let before = -1; this.#waitingBytes > 0 && this.#writtenBytes > before;) {
      before = this.#writtenBytes;
      const { promise: over, resolve } = Promise.withResolvers<false>();
      const timer = setTimeout(() => resolve(false), PATIENCE);
      const isDone = await Promise.race([soFar, over]);
      clearTimeout(timer);
      if (isDone) return;
    }
  }

  /** Resolves when everything is written, however slowly it is read; once `stop` is aborted, like `drained`. */
  async finished(stop: AbortSignal): Promise<void> {
    do await this.drained(); while (this.#waitingBytes > 0 && !stop.aborted);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#putAll(bytes);
    if (this.#leftOut === 0 || this.#waitingBytes > 0) return;
    const note = new TextEncoder().encode(`[${this.#leftOut} texts left out: nobody was reading]\n`);
    this.#leftOut = 0;
    this.#waitingBytes += note.length;
    await this.#putAll(note);
  }

  async #putAll(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      try {
        const written = this.#isClosed ? rest.length : await this.#sink.write(rest);
        rest = rest.subarray(written);
        this.#waitingBytes -= written;
        this.#writtenBytes += written;
      } catch (error) {
        if (error instanceof Deno.errors.WouldBlock) {
          await new Promise((resolve) => setTimeout(resolve, FULL_INTERVAL));
        } // Whatever broke it, nobody will read from it any more.
        else this.#isClosed = true;
      }
    }
  }
}
