/**
 * The HTTP server under the lab's registry, token server and blob host: it records every request and lets faults
 * decide what becomes of each answer, down to the socket.
 *
 * @module
 */

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { RecordedRequest } from "./recorded_request.ts";
import { type ActiveFault, FaultList, type FaultRule } from "./registry_fault.ts";
import { errorReply, type Reply } from "./registry_reply.ts";
import { ByteSource, readRequest, sendReply } from "./registry_wire.ts";

/** What a TLS server shows and asks for. */
export interface LabTls {
  /** PEM chain, leaf first. */
  readonly certificate: string;
  /** PEM private key. */
  readonly key: string;
  /** PEM certificate of the authority whose client certificates are demanded. */
  readonly clientCa?: string;
}

/** What {@linkcode startHttpServer} serves. */
export interface HttpServerOptions {
  /** Gives the honest answer; one that throws is a 500. */
  readonly handler: (request: RecordedRequest) => Reply | Promise<Reply>;
  /** Plain HTTP when absent. */
  readonly tls?: LabTls;
}

/** A server on loopback, stopped when disposed. */
export interface LabHttpServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `http://127.0.0.1:PORT` or `https://...`. */
  readonly origin: string;
  /** Every request, in the order they had been read. */
  readonly requests: readonly RecordedRequest[];
  /** What went wrong on connections, such as clients that left or refused the certificate. */
  readonly connectionErrors: readonly Error[];
  /** Connections accepted so far, TLS handshakes completed where there is TLS. */
  readonly connections: number;
  /** Puts a fault in force. */
  fault(rule: FaultRule): ActiveFault;
}

/** Starts a server on a free port of 127.0.0.1. */
export async function startHttpServer(options: HttpServerOptions): Promise<LabHttpServer> {
  const server = new HttpServer(options);
  await server.listen();
  return server;
}

class HttpServer implements LabHttpServer {
  readonly requests: RecordedRequest[] = [];
  readonly connectionErrors: Error[] = [];
  connections = 0;
  host = "";
  origin = "";
  readonly #options: HttpServerOptions;
  readonly #faults = new FaultList();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const accept = (socket: Socket) => {
      const task = this.#serve(socket).finally(() => this.#tasks.delete(task));
      this.#tasks.add(task);
    };
    const { tls } = options;
    if (tls === undefined) {
      this.#server = createServer(accept);
      return;
    }
    const demand = tls.clientCa === undefined
      ? {}
      : { requestCert: true, rejectUnauthorized: true, ca: [tls.clientCa] };
    this.#server = createTlsServer({ cert: tls.certificate, key: tls.key, ...demand }, accept);
    this.#server.on("tlsClientError", (error: Error) => this.connectionErrors.push(error));
    // Sockets that never finish their handshake must not outlive the server either.
    this.#server.on("connection", (socket: Socket) => this.#keep(socket));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new TypeError("Cannot listen: no port was given");
    }
    this.host = `127.0.0.1:${address.port}`;
    this.origin = `${this.#options.tls === undefined ? "http" : "https"}://${this.host}`;
  }

  fault(rule: FaultRule): ActiveFault {
    return this.#faults.add(rule);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#tasks);
    await closed;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", (error) => this.connectionErrors.push(error));
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async #serve(socket: Socket): Promise<void> {
    this.connections++;
    this.#keep(socket);
    // Head and body go out in separate writes; Nagle would hold the second back for 40 ms.
    socket.setNoDelay(true);
    let request: RecordedRequest | undefined;
    try {
      const source = new ByteSource(socket);
      while ((request = await readRequest(socket, source)) !== undefined) {
        this.requests.push(request);
        const reply = this.#faults.apply(await this.#answer(request), request);
        if (!await sendReply(reply, { socket, source, request, signal: this.#stopping.signal })) break;
      }
    } catch (error) {
      // The client left or the server is stopping: nothing to answer any more, but tests may want to know.
      if (request?.ending === "open") request.ending = "broken";
      this.connectionErrors.push(error instanceof Error ? error : new Error(String(error)));
      if (request === undefined && !socket.destroyed) {
        socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      }
    }
    if (!socket.destroyed) await new Promise<void>((resolve) => socket.end(resolve));
    socket.destroy();
  }

  async #answer(request: RecordedRequest): Promise<Reply> {
    try {
      return await this.#options.handler(request);
    } catch (error) {
      this.connectionErrors.push(error instanceof Error ? error : new Error(String(error)));
      return errorReply(500, "UNKNOWN", "the lab's handler failed");
    }
  }
}
