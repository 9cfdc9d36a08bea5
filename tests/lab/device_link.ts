import { Buffer } from "node:buffer";
import { connect as connectTcp, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { RecordReader } from "./device_records.ts";
import { connectWithSmallWindow } from "./device_small_window.ts";
import { alertRecord, chainIn, refusalOf } from "./device_trust.ts";

/** Whom a device dials and how it judges it. */
export interface DialOptions {
  /** Dotted IPv4, as announced. */
  readonly hostname: string;
  /** 4433 in the field. */
  readonly port: number;
  /** PEM of the only authority. */
  readonly pinned: string;
  /** Dotted IPv4 it dials from; the system's choice by default. */
  readonly localAddress?: string;
  /** Bytes of its receive buffer; the system's choice by default. */
  readonly receiveWindow?: number;
  /** Ends the attempt and everything after it. */
  readonly signal: AbortSignal;
}

/** Thrown when a device does not trust the agent it reached; the agent got the alert. */
export class UntrustedAgent extends Error {
  /** Always `UntrustedAgent`. */
  override readonly name = "UntrustedAgent";
}

/**
 * A device's TLS 1.2 connection to the agent. It takes bytes from the network only while somebody waits in
 * {@linkcode DeviceLink.read}, so that a device that does not read closes its window as a real one does.
 */
export class DeviceLink {
  readonly #tcp: Socket;
  readonly #tls: TLSSocket;
  readonly #received: Uint8Array[] = [];
  #end: { readonly error?: Error } | undefined;
  #opened = false;
  #closed = false;
  #sawEnd = false;
  #reader = Promise.withResolvers<void>();
  #arrival = Promise.withResolvers<void>();

  private constructor(tcp: Socket, options: DialOptions) {
    this.#tcp = tcp;
    this.#tls = connectTls({
      socket: this.#wire(options),
      servername: "ota-agent",
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
      // The judgement is refusalOf's, before the handshake goes on.
      rejectUnauthorized: false,
    });
    this.#tls.on("data", (bytes: Uint8Array) => this.#notice(() => this.#received.push(bytes)));
    this.#tls.on("end", () => this.#notice(() => this.#end ??= {}));
    this.#tls.on("close", () => this.#notice(() => this.#end ??= {}));
    // The end of the connection without close_notify ends the stream too.
    this.#tls.on("error", (error: Error) => this.#notice(() => this.#end ??= this.#sawEnd ? {} : { error }));
    options.signal.addEventListener("abort", () => this.close(), { once: true });
  }

  /** Connects and shakes hands. Throws {@linkcode UntrustedAgent}, or what the network or the engine says. */
  static async dial(options: DialOptions): Promise<DeviceLink> {
    const link = new DeviceLink(await openTcp(options), options);
    link.#tls.once("secureConnect", () => link.#notice(() => link.#opened = true));
    while (!link.#opened && link.#end === undefined) await link.#arrival.promise;
    if (link.#opened) return link;
    link.close();
    throw link.#end?.error ?? new Error("Cannot finish the handshake: the agent closed the connection");
  }

  /** Bytes that its system has handed to it, those of TLS itself included: it may not have read them yet. */
  get arrivedBytes(): number {
    return this.#tcp.bytesRead;
  }

  /** Sends `bytes` as one record. Resolves too when the link is closed meanwhile. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#done((done) => this.#tls.write(bytes, done));
  }

  /** The next bytes; `null` after close_notify or the end of the connection. Rejects when it breaks. */
  async read(): Promise<Uint8Array | null> {
    while (this.#received.length === 0 && this.#end === undefined) {
      this.#reader.resolve();
      await this.#arrival.promise;
    }
    this.#reader = Promise.withResolvers();
    const bytes = this.#received.shift();
    if (bytes !== undefined) return bytes;
    if (this.#end?.error !== undefined) throw this.#end.error;
    return null;
  }

  /** Sends close_notify and closes. */
  async finish(): Promise<void> {
    await this.#done((done) => this.#tls.end(done));
    this.close();
  }

  /** Ends the connection with a reset (RST), which nothing follows. */
  reset(): void {
    this.#tcp.resetAndDestroy();
    this.close();
  }

  /** Closes at once, without close_notify. */
  close(): void {
    const error = new DOMException("the device closed the connection", "AbortError");
    this.#notice(() => {
      this.#closed = true;
      this.#end ??= { error };
    });
    this.#reader.resolve();
    this.#tls.destroy();
  }

  /** What `start` begins and calls back from; the engine forgets its callbacks when it is destroyed. */
  async #done(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    let outcome: Error | null | undefined;
    start((error) => this.#notice(() => outcome = error ?? null));
    while (outcome === undefined && !this.#closed) await this.#arrival.promise;
    if (outcome) throw outcome;
  }

  #notice(change: () => void): void {
    change();
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }

  /** The TCP connection as the engine sees it: the server's first bytes are held back until they are judged. */
  #wire({ pinned }: DialOptions): Duplex {
    const tcp = this.#tcp;
    const records = new RecordReader(tcp);
    let head: Uint8Array | undefined = new Uint8Array();
    const pull = async (): Promise<Uint8Array | null> => {
      if (this.#opened) await this.#reader.promise;
      const bytes = await records.next();
      if (bytes === null) this.#sawEnd = true;
      if (head === undefined || bytes === null) return bytes;
      head = Buffer.concat([head, bytes]);
      const chain = chainIn(head);
      if (chain === "more") return await pull();
      const refusal = chain === "none" ? undefined : refusalOf(chain, pinned);
      if (refusal !== undefined) {
        await new Promise((resolve) => tcp.end(alertRecord(refusal), () => resolve(undefined)));
        throw new UntrustedAgent(`Cannot trust the agent: ${refusal}`);
      }
      const judged = head;
      head = undefined;
      return judged;
    };
    return new Duplex({
      read() {
        pull().then((bytes) => this.push(bytes), (error) => this.destroy(error));
      },
      write(bytes: Uint8Array, _encoding, done) {
        tcp.write(bytes, done);
      },
      final(done) {
        tcp.end(done);
      },
      destroy(error, done) {
        tcp.destroy();
        done(error);
      },
    });
  }
}

/** Connects, without reading yet. Rejects with the system's error or the signal's reason. */
function openTcp({ hostname, port, localAddress, receiveWindow, signal }: DialOptions): Promise<Socket> {
  if (receiveWindow !== undefined) {
    return connectWithSmallWindow({ transport: "tcp", hostname, port }, receiveWindow);
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      tcp.destroy();
      reject(signal.reason);
    };
    // A device closes when its program does, not when the agent has: the engine may have read far ahead of it.
    const tcp = connectTcp({ host: hostname, port, localAddress, allowHalfOpen: true });
    tcp.on("error", reject);
    tcp.once("connect", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(tcp);
    });
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
