import type { TlsConnection, TransportEnd } from "../world.ts";

/** How the peer ended its side of a connection. */
export type PeerEnd =
  /** Orderly: a close_notify, or the end of the TCP stream, which devices also use. */
  | "closed"
  /** A reset, or anything else after which nothing can be delivered. */
  | "reset"
  /** It sent more than a device ever does. */
  | "babbled";

/** Bytes a device may send after its certificate without being taken for a stranger. */
const MAX_IDLE_CHATTER = 4096;

/** A TLS connection whose waits all end with a signal: the connection is then closed, for good. */
export class PeerConnection {
  /** `address:port`, for people. */
  readonly peer: string;
  /** The peer's address; a mapped IPv4 address is shown as IPv4. */
  readonly address: string;
  /** The peer's port. */
  readonly port: number;
  readonly #connection: TlsConnection;
  #open = true;

  /** Takes over the connection: nobody else may use it. */
  constructor(connection: TlsConnection) {
    this.#connection = connection;
    this.address = connection.remoteAddr.hostname.replace(/^::ffff:(?=\d+\.)/i, "");
    this.port = connection.remoteAddr.port;
    this.peer = this.address.includes(":")
      ? `[${this.address}]:${this.port}`
      : `${this.address}:${this.port}`;
  }

  /** Rejects with the runtime's error, or the signal's reason. The runtime bounds a handshake's messages. */
  async handshake(signal: AbortSignal): Promise<void> {
    await this.#until(signal, () => this.#connection.handshake());
  }

  /** Bytes read, `null` at the peer's end. */
  read(into: Uint8Array, signal: AbortSignal): Promise<number | null> {
    return this.#until(signal, () => this.#connection.read(into));
  }

  /** Hands over all of `bytes`. */
  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#until(signal, async () => {
      for (let written = 0; written < bytes.length;) {
        written += await this.#connection.write(bytes.subarray(written));
      }
    });
  }

  /** Says that nothing more will come, and closes our side. */
  async closeWrite(signal: AbortSignal): Promise<void> {
    await this.#until(signal, () => this.#connection.closeWrite());
  }

  /** Waits until the peer ends its side; what it sends meanwhile is dropped, within limits. Rejects only when aborted. */
  async peerEnd(signal: AbortSignal): Promise<PeerEnd> {
    const scrap = new Uint8Array(512);
    for (let dropped = 0; dropped <= MAX_IDLE_CHATTER;) {
      try {
        const read = await this.read(scrap, signal);
        if (read === null) return "closed";
        dropped += read;
      } catch (error) {
        signal.throwIfAborted();
        return error instanceof Error && error.name === "UnexpectedEof" ? "closed" : "reset";
      }
    }
    return "babbled";
  }

  /** How the TCP connection below ended, a moment after the peer has ended it. */
  get transportEnd(): Promise<TransportEnd> {
    return this.#connection.transportEnd;
  }

  /** Whether the connection, both of whose sides are closed, has broken by now. */
  isBroken(): Promise<boolean> {
    return this.#connection.isBroken();
  }

  /** Bytes that the operating system has taken for the peer, those of TLS itself included. */
  get sentBytes(): number {
    return this.#connection.sentBytes;
  }

  /** Resolves after {@linkcode PeerConnection.close}, when nothing is left. */
  get closed(): Promise<void> {
    return this.#connection.closed;
  }

  /** Ends both sides; may be called again. */
  close(): void {
    if (this.#open) this.#connection.close();
    this.#open = false;
  }

  async #until<Result>(signal: AbortSignal, action: () => Promise<Result>): Promise<Result> {
    const onAbort = (): void => this.close();
    signal.throwIfAborted();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await action();
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
