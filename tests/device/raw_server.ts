/** Answers every connection with the same bytes and keeps what it was sent. */
export class RawServer implements AsyncDisposable {
  /** What each connection sent before it was answered, as text. */
  readonly received: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>;
  #asked = Promise.withResolvers<void>();

  /** `stays`: the connection is left open after the answer. */
  constructor(answer: string | Uint8Array, options: { readonly stays?: boolean } = {}) {
    const bytes = typeof answer === "string" ? new TextEncoder().encode(answer) : answer;
    this.#work = this.#serve(bytes, options.stays ?? false);
  }

  /** `127.0.0.1:port`. */
  get endpoint(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Resolves when the next request has been read. */
  async untilAsked(): Promise<void> {
    await this.#asked.promise;
    this.#asked = Promise.withResolvers();
  }

  /** Closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) this.#close(connection);
    await this.#work;
  }

  async #serve(answer: Uint8Array, stays: boolean): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      this.received.push(await readRequest(connection));
      this.#asked.resolve();
      await connection.write(answer);
      if (stays) continue;
      await connection.closeWrite();
      // Until the peer closes too: an early close with unread bytes would reset what was just written.
      while (await connection.read(new Uint8Array(512)).catch(() => null) !== null);
      this.#close(connection);
    }
  }

  #close(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }
}

/** One request, by its Content-Length. */
async function readRequest(connection: Deno.TcpConn): Promise<string> {
  // One character a byte, so that lengths agree.
  const decoder = new TextDecoder("latin1");
  const buffer = new Uint8Array(4096);
  let text = "";
  for (;;) {
    const end = text.indexOf("\r\n\r\n");
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (end >= 0 && text.length >= end + 4 + length) return text;
    const read = await connection.read(buffer);
    if (read === null) return text;
    text += decoder.decode(buffer.subarray(0, read), { stream: true });
  }
}
