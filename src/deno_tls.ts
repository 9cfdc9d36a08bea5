import type { TlsConnection, TlsListener, TlsListenOptions, TransportEnd } from "./world.ts";

/** Bytes carried at once: two records. Each connection has two such buffers, and strangers come in hundreds. */
const PIECE_BYTES = 8 * 1024;

/** How long a closed connection may take to carry its last bytes to a peer that does not read, in milliseconds. */
const LINGER = 50;

/** After the peer's orderly end its reset for what it refused is on its way: a round trip, in looks of 20 ms. */
const REFUSAL_LOOKS = 15;
const REFUSAL_INTERVAL = 20;

/**
 * Listens for TLS connections that know how the TCP connection below them ended.
 *
 * The runtime's own TLS connections hide it: after the peer's close_notify they read no further, so that a device
 * that gave up looks like one that has read everything. Only the reset that its system sends for the unread rest
 * tells them apart. So the TLS engine is given a connection on loopback, and what passes between it and the peer is
 * carried here, where resets are seen.
 */
export function listenTls(options: TlsListenOptions): TlsListener {
  const outer = Deno.listen({ hostname: options.hostname, port: options.port });
  let engine: Deno.TlsListener;
  try {
    engine = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: options.certificate, key: options.key });
  } catch (error) {
    outer.close();
    throw error;
  }
  const close = (): void => {
    outer.close();
    engine.close();
  };
  return {
    port: outer.addr.port,
    accept: async () => {
      const tcp = await outer.accept();
      try {
        const link = await Deno.connect({ hostname: "127.0.0.1", port: engine.addr.port });
        return new CarriedConnection(tcp, link, await acceptLink(engine, link));
      } catch (error) {
        tcp.close();
        throw error;
      }
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** The engine's end of our link; whoever else connects to its port on loopback is turned away. */
async function acceptLink(engine: Deno.TlsListener, link: Deno.TcpConn): Promise<Deno.TlsConn> {
  try {
    while (true) {
      const tls = await engine.accept();
      if (tls.remoteAddr.port === link.localAddr.port) return tls;
      tls.close();
    }
  } catch (error) {
    link.close();
    throw error;
  }
}

class CarriedConnection implements TlsConnection {
  readonly remoteAddr: { readonly hostname: string; readonly port: number };
  readonly transportEnd: Promise<TransportEnd>;
  readonly closed: Promise<void>;
  readonly #tcp: Deno.TcpConn;
  readonly #link: Deno.TcpConn;
  readonly #tls: Deno.TlsConn;
  readonly #outbound: Promise<boolean>;
  readonly #inbound: Promise<boolean>;
  readonly #closed = Promise.withResolvers<void>();
  #isClosing = false;
  #sentBytes = 0;
  #isBroken = false;

  constructor(tcp: Deno.TcpConn, link: Deno.TcpConn, tls: Deno.TlsConn) {
    this.#tcp = tcp;
    this.#link = link;
    this.#tls = tls;
    this.remoteAddr = tcp.remoteAddr;
    this.closed = this.#closed.promise;
    tcp.setNoDelay(true);
    link.setNoDelay(true);
    this.#outbound = carry(link, tcp, (bytes) => this.#sentBytes += bytes);
    this.#inbound = carry(tcp, link);
    this.transportEnd = this.#awaitTransportEnd();
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  handshake(): Promise<unknown> {
    return this.#tls.handshake();
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#tls.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#tls.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#tls.closeWrite();
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#tls.close();
    void this.#linger();
  }

  /** What the engine has said, an alert perhaps, still goes to the peer; but not for long. */
  async #linger(): Promise<void> {
    const timer = setTimeout(() => this.#closeTcp(), LINGER);
    await this.#outbound;
    clearTimeout(timer);
    this.#closeTcp();
    await this.transportEnd;
    this.#closed.resolve();
  }

  #closeTcp(): void {
    closeQuietly(this.#tcp);
    closeQuietly(this.#link);
  }

  async #awaitTransportEnd(): Promise<TransportEnd> {
    if (!await this.#inbound || !await this.#outbound) return "reset";
    for (let look = 0; look < REFUSAL_LOOKS && !this.#isClosing; look++) {
      if (await this.isBroken()) return "reset";
      await new Promise((resolve) => setTimeout(resolve, REFUSAL_INTERVAL));
    }
    return "closed";
  }

  async isBroken(): Promise<boolean> {
    if (!await this.#inbound || !await this.#outbound) return true;
    try {
      // Our side is closed, so that a write sends nothing: it only tells the error that waits on the socket, once.
      await this.#tcp.write(new Uint8Array(1));
    } catch (error) {
      const isClosed = error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.BadResource;
      this.#isBroken ||= !isClosed;
    }
    return this.#isBroken;
  }
}

/** Carries bytes to the end and passes the end on. False: one of the two connections broke before. */
async function carry(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  onCarried: (bytes: number) => void = () => undefined,
): Promise<boolean> {
  const piece = new Uint8Array(PIECE_BYTES);
  try {
    while (true) {
      const read = await from.read(piece).catch(() => "broken" as const);
      if (read === "broken" || read === null) {
        // After a reset, too, the other side gets what came before, an alert perhaps, and then an end.
        await to.closeWrite();
        return read === null;
      }
      for (let at = 0; at < read;) {
        const written = await to.write(piece.subarray(at, read));
        onCarried(written);
        at += written;
      }
    }
  } catch {
    // Which of a socket's errors it was does not matter: nothing passes any more.
    return false;
  }
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    // Closed already, by the other way out.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
