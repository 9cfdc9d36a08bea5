/**
 * HTTP/1.1 on a socket, by hand: a server library would repair or refuse the broken answers the lab must give.
 *
 * Format: RFC 9112.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import type { RecordedRequest } from "./recorded_request.ts";
import { headerOf, type Reply, withHeaders } from "./registry_reply.ts";

/** A request head larger than this is not one of our clients'. */
const MAX_HEAD_BYTES = 64 * 1024;
/** First byte of a TLS ClientHello's record (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16;
const DEFAULT_PIECE_BYTES = 64 * 1024;
const latin1 = new TextDecoder("latin1");
const encoder = new TextEncoder();

/** The receiving side of a socket, read in the portions HTTP asks for. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array();

  /** Takes over all reading from the socket. */
  constructor(socket: Socket) {
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  /** Text up to and without `mark`, or `undefined` when the peer closes first. */
  async textUntil(mark: string): Promise<string | undefined> {
    while (true) {
      const text = latin1.decode(this.#held);
      const end = text.indexOf(mark);
      if (end >= 0) {
        this.#held = this.#held.subarray(end + mark.length);
        return text.slice(0, end);
      }
      // A client that tries TLS first is told at once, as real servers do; otherwise both would wait for the other.
      if (this.#held[0] === TLS_HANDSHAKE) {
        throw new TypeError("Cannot read a request: the client speaks TLS");
      }
      if (text.length > MAX_HEAD_BYTES) throw new RangeError("Cannot read a request: its head is too large");
      const next = await this.#chunks.next();
      if (next.done) return undefined;
      this.#held = Buffer.concat([this.#held, next.value]);
    }
  }

  /** Exactly `count` bytes. */
  async exactly(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const whole = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (this.#held.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) throw new RangeError("Cannot read a request: the client closed inside the body");
        this.#held = next.value;
      }
      const part = this.#held.subarray(0, count - filled);
      whole.set(part, filled);
      filled += part.length;
      this.#held = this.#held.subarray(part.length);
    }
    return whole;
  }

  /** Resolves when the peer has closed its side. */
  async ended(): Promise<void> {
    while (!(await this.#chunks.next()).done);
  }
}

/** The next request of the connection, or `undefined` when the client is done. */
export async function readRequest(socket: Socket, source: ByteSource): Promise<RecordedRequest | undefined> {
  const head = await source.textUntil("\r\n\r\n");
  if (head === undefined) return undefined;
  const [requestLine = "", ...lines] = head.split("\r\n");
  const [method = "", target = ""] = requestLine.split(" ");
  const headers = new Headers(lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  }));
  if (headers.get("expect") === "100-continue") socket.write("HTTP/1.1 100 Continue\r\n\r\n");
  const body = await readBody(headers, source);
  const url = new URL(target, "http://lab.invalid");
  return {
    method,
    target,
    path: url.pathname,
    query: url.searchParams,
    headers,
    body,
    at: Date.now(),
    clientCertificate: socket instanceof TLSSocket ? commonNameOf(socket) : undefined,
    status: undefined,
    bodyBytesSent: 0,
    ending: "open",
  };
}

function commonNameOf(socket: TLSSocket): string | undefined {
  const name = socket.getPeerCertificate()?.subject?.CN;
  return Array.isArray(name) ? name[0] : name;
}

async function readBody(headers: Headers, source: ByteSource): Promise<Uint8Array<ArrayBuffer>> {
  if (headers.get("transfer-encoding")?.toLowerCase() !== "chunked") {
    return await source.exactly(Number(headers.get("content-length") ?? 0));
  }
  const chunks: Uint8Array[] = [];
  while (true) {
    const size = parseInt(await source.textUntil("\r\n") ?? "0", 16);
    if (size === 0) break;
    chunks.push(await source.exactly(size));
    await source.exactly(2);
  }
  await source.textUntil("\r\n");
  return new Uint8Array(Buffer.concat(chunks));
}

/** Where an answer goes. */
export interface Exchange {
  /** Written to only. */
  readonly socket: Socket;
  /** Read from only. */
  readonly source: ByteSource;
  /** What is answered; its record is kept up to date. */
  readonly request: RecordedRequest;
  /** Aborted when the server stops. */
  readonly signal: AbortSignal;
}

/** Sends the answer as its delivery says; true when the connection can carry another exchange. */
export async function sendReply(reply: Reply, exchange: Exchange): Promise<boolean> {
  const { socket, request } = exchange;
  const { cutAfter, pieceBytes = DEFAULT_PIECE_BYTES, pauseMs } = reply.delivery ?? {};
  request.status = reply.status;
  if (cutAfter === "nothing") return await cut(reply, exchange);

  const hasBody = request.method !== "HEAD" && reply.status !== 204 && reply.status !== 304;
  const framed = withFraming(reply);
  const chunked = headerOf(framed, "transfer-encoding") === "chunked";
  await write(socket, headBytes(framed));
  for (const piece of hasBody ? piecesOf(reply.body, Math.min(pieceBytes, cutAfter ?? Infinity) || 1) : []) {
    const room = cutAfter === undefined ? piece.length : cutAfter - request.bodyBytesSent;
    const part = piece.subarray(0, room);
    if (part.length > 0) {
      if (pauseMs !== undefined) await sleep(pauseMs, undefined, { signal: exchange.signal });
      await write(socket, chunked ? chunkOf(part) : part);
      request.bodyBytesSent += part.length;
    }
    if (request.bodyBytesSent === cutAfter) return await cut(reply, exchange);
  }
  if (cutAfter !== undefined) return await cut(reply, exchange);
  if (chunked && hasBody) await write(socket, encoder.encode("0\r\n\r\n"));
  request.ending = "complete";
  const isWhole = !hasBody || chunked || Number(headerOf(framed, "content-length")) === request.bodyBytesSent;
  return isWhole && request.headers.get("connection")?.toLowerCase() !== "close";
}

async function cut(reply: Reply, { socket, source, request }: Exchange): Promise<false> {
  request.ending = "cut";
  if (reply.delivery?.cutBy === "stall") await source.ended();
  // A TLS connection has no reset of its own; the closest is to drop it without close_notify.
  if (reply.delivery?.cutBy === "reset") {
    socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy();
  }
  return false;
}

function withFraming(reply: Reply): Reply {
  if (headerOf(reply, "content-length") !== undefined || headerOf(reply, "transfer-encoding") !== undefined) {
    return reply;
  }
  if (reply.status === 204 || reply.status === 304) return reply;
  if (reply.body instanceof Uint8Array) {
    return withHeaders(reply, { "Content-Length": String(reply.body.length) });
  }
  return withHeaders(reply, { "Transfer-Encoding": "chunked" });
}

function headBytes(reply: Reply): Uint8Array {
  const lines = reply.headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${reply.status} Lab\r\n${lines.join("")}\r\n`, "latin1");
}

function chunkOf(part: Uint8Array): Uint8Array {
  return Buffer.concat([encoder.encode(`${part.length.toString(16)}\r\n`), part, encoder.encode("\r\n")]);
}

function* piecesOf(body: Uint8Array | Iterable<Uint8Array>, size: number): Generator<Uint8Array> {
  for (const part of body instanceof Uint8Array ? [body] : body) {
    for (let offset = 0; offset < part.length; offset += size) yield part.subarray(offset, offset + size);
  }
}

/** Resolves when the system has taken the bytes over. */
function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => error ? reject(error) : resolve());
  });
}
