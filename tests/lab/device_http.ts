import { closeQuietly, isConnectionEnd, sendAll } from "./device_sockets.ts";
import { OwnPorts } from "./own_ports.ts";

/**
 * The HTTP server of ESP-IDF, seen from outside: at most 7 sockets, small headers, Content-Length only.
 *
 * @module
 */

/** A request as it reached the device. */
export interface DeviceRequest {
  /** As sent, upper case or not. */
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** What Content-Length covers. */
  readonly body: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
}

/** What the device answers: a response, or the end of the connection without one. */
export type DeviceReply =
  | { readonly status: number; readonly type?: string; readonly body: string | Uint8Array }
  | "close"
  | "never";

/** What the server needs. */
export interface DeviceHttpOptions {
  readonly hostname: string;
  /** 0 chooses one. */
  readonly port: number;
  /** Bytes of a whole request head; 512 in older firmware, 1024 in newer. */
  readonly headerLimit: number;
  /** Answers a complete request. */
  answer(request: DeviceRequest): Promise<DeviceReply>;
  /** Whether to reset the connection when only the request line has been read. */
  resets(method: string, path: string): boolean;
}

const MAXIMUM_SOCKETS = 7;
/** ESP-IDF waits 5 s for the rest of a request. It is a guard and no pace, so it is never scaled. */
const RECEIVE_TIMEOUT = 5000;
/** Where a device listens when nobody says where. */
const PORTS = new OwnPorts(20_000, 12_000);

/** ESP-IDF's sentences for its own errors. */
const ERROR_BODIES: Readonly<Record<number, string>> = {
  400: "Bad request syntax",
  404: "Nothing matches the given URI",
  405: "Specified method is invalid for this resource",
  408: "Server closed this connection",
  431: "Header fields are too long for server to interpret",
  500: "Server has encountered an unexpected error",
};

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
};

/** ESP-IDF's reply to an error. */
export function errorReply(status: number): DeviceReply {
  return { status, body: ERROR_BODIES[status] ?? "" };
}

/** A listening server. */
export class DeviceHttp {
  readonly #options: DeviceHttpOptions;
  readonly #sockets = new Map<Deno.TcpConn, RequestReader>();
  readonly #tasks = new Set<Promise<void>>();
  #listener: Deno.TcpListener;
  #accepting: Promise<void>;
  #closed = false;
  #lostPower = false;
  #free = Promise.withResolvers<void>();

  constructor(options: DeviceHttpOptions) {
    this.#options = options;
    this.#listener = listen(options);
    this.#accepting = this.#accept();
    this.#track(this.#accepting);
  }

  /** How many are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Where it listens. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Stops accepting; open connections go on. */
  stopListening(): void {
    closeQuietly(this.#listener);
  }

  /** Accepts again, on the same port. */
  listenAgain(): void {
    this.#listener = listen({ ...this.#options, port: this.port });
    this.#accepting = this.#accept();
    this.#track(this.#accepting);
  }

  /**
   * Loses power: an idle connection hears nothing of it, and what its peer sends later is answered with a reset by the
   * machine that has started meanwhile.
   */
  async losePower(): Promise<void> {
    this.#lostPower = true;
    this.stopListening();
    for (const [socket, reader] of this.#sockets) if (!reader.isIdle) closeQuietly(socket);
    this.#free.resolve();
    await this.#accepting;
  }

  /** Ends everything and waits until it has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.stopListening();
    for (const socket of this.#sockets.keys()) closeQuietly(socket);
    this.#free.resolve();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  #track(task: Promise<void>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }

  async #accept(): Promise<void> {
    for (;;) {
      // The eighth client waits in the system's queue until one of the seven goes.
      while (this.#sockets.size >= MAXIMUM_SOCKETS && !this.#closed && !this.#lostPower) {
        await this.#free.promise;
      }
      try {
        const socket = await this.#listener.accept();
        const reader = new RequestReader(socket);
        this.#sockets.set(socket, reader);
        this.#track(this.#serve(socket, reader));
      } catch (error) {
        if (isConnectionEnd(error)) return;
        throw error;
      }
    }
  }

  async #serve(socket: Deno.TcpConn, input: RequestReader): Promise<void> {
    try {
      while (await this.#exchange(socket, input));
    } catch (error) {
      if (!isConnectionEnd(error)) throw error;
    } finally {
      closeQuietly(socket);
      this.#sockets.delete(socket);
      this.#free.resolve();
      this.#free = Promise.withResolvers();
    }
  }

  /** One request and its reply. Returns whether the connection goes on. */
  async #exchange(socket: Deno.TcpConn, input: RequestReader): Promise<boolean> {
    await input.begun();
    // The rest of the request stays unread, which makes the system send a reset.
    if (this.#lostPower) return false;
    const line = await input.until("\r\n", this.#options.headerLimit);
    if (line === "end") return false;
    if (typeof line !== "object") return await this.#refuse(socket, line);
    const [method = "", path = ""] = line.text.split(" ");
    // The rest of the request stays unread, which makes the system send a reset.
    if (this.#options.resets(method, path)) return false;
    const head = await input.until("\r\n\r\n", this.#options.headerLimit);
    if (head === "end") return false;
    if (typeof head !== "object") return await this.#refuse(socket, head);
    const headers = parseHeaders(head.text.slice(line.text.length + 2));
    const body = await input.body(Number(headers["content-length"] ?? "0"));
    if (body === "end") return false;
    if (body === 408) return await this.#refuse(socket, body);
    const reply = await this.#options.answer({ method, path, headers, body, at: Date.now() });
    if (reply === "close") return false;
    if (reply === "never") return await input.peerLeft();
    await respond(socket, reply);
    return headers["connection"]?.toLowerCase() !== "close";
  }

  async #refuse(socket: Deno.TcpConn, status: 408 | 431): Promise<false> {
    const reply = errorReply(status);
    if (typeof reply === "object") await respond(socket, reply);
    return false;
  }
}

function listen({ hostname, port }: DeviceHttpOptions): Deno.TcpListener {
  return port === 0 ? PORTS.listen(hostname) : Deno.listen({ hostname, port });
}

async function respond(socket: Deno.TcpConn, reply: Exclude<DeviceReply, string>): Promise<void> {
  const body = typeof reply.body === "string" ? new TextEncoder().encode(reply.body) : reply.body;
  const head = `HTTP/1.1 ${reply.status} ${REASONS[reply.status] ?? "Unknown"}\r\n` +
    `Content-Type: ${reply.type ?? "text/html"}\r\nContent-Length: ${body.length}\r\n\r\n`;
  await sendAll(socket, new TextEncoder().encode(head));
  await sendAll(socket, body);
}

function parseHeaders(text: string): Record<string, string> {
  const lines = text.split("\r\n").filter((line) => line.includes(":"));
  return Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  }));
}

/** Reads a connection in small steps, so that what a reset must leave unread is still in the system. */
class RequestReader {
  readonly #socket: Deno.TcpConn;
  readonly #step = new Uint8Array(16);
  #text = "";
  #isIdle = false;
  #ended: "end" | 408 | undefined;

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Whether it waits for a request. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** Resolves with the first bytes of a request, or the end of the connection. */
  async begun(): Promise<void> {
    if (this.#text !== "") return;
    this.#isIdle = true;
    this.#ended = await this.#more(false);
    this.#isIdle = false;
  }

  /** What stands before `mark`, without taking it away unless it ends a head. A status when it never comes. */
  async until(mark: string, limit: number): Promise<{ readonly text: string } | "end" | 408 | 431> {
    for (;;) {
      const at = this.#text.indexOf(mark);
      if (at >= 0) {
        const text = this.#text.slice(0, at);
        if (mark === "\r\n\r\n") this.#text = this.#text.slice(at + mark.length);
        return { text };
      }
      if (this.#text.length > limit) return 431;
      const ended = this.#ended ?? await this.#more(this.#text !== "");
      if (ended !== undefined) return ended;
    }
  }

  /** The next `length` bytes as text. */
  async body(length: number): Promise<string | "end" | 408> {
    while (this.#text.length < length) {
      const ended = await this.#more(true);
      if (ended !== undefined) return ended;
    }
    const body = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return body;
  }

  /** Resolves when the peer has closed. */
  async peerLeft(): Promise<false> {
    while (await this.#socket.read(this.#step) !== null);
    return false;
  }

  /** An idle connection may wait for ever, a begun request may not. */
  async #more(begun: boolean): Promise<"end" | 408 | undefined> {
    const late = Promise.withResolvers<"late">();
    const timer = begun ? setTimeout(() => late.resolve("late"), RECEIVE_TIMEOUT) : undefined;
    try {
      const length = await Promise.race([this.#socket.read(this.#step), late.promise]);
      if (length === "late") return 408;
      if (length === null) return "end";
      // One character per byte: lengths stay true whatever the bytes are.
      this.#text += String.fromCharCode(...this.#step.subarray(0, length));
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}
