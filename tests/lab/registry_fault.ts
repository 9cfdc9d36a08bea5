/**
 * What can be wrong with an answer: each fault is a function from the honest answer to the one that is sent.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import type { RecordedRequest } from "./recorded_request.ts";
import { bodyBytes, bytesReply, type Delivery, headerOf, type Reply, withHeaders } from "./registry_reply.ts";

/** Turns the honest answer into the one to send. */
export type FaultAction = (reply: Reply, request: RecordedRequest) => Reply;

/** Which answers a fault befalls. */
export interface FaultRule {
  /** Sees the honest answer too, so that a fault can spare the 401 that opens an exchange. */
  readonly match: (request: RecordedRequest, reply: Reply) => boolean;
  /** What becomes of the answer. */
  readonly action: FaultAction;
  /** How many matches it befalls; all when absent. */
  readonly times?: number;
  /** How many matches go by unharmed first. */
  readonly skip?: number;
}

/** A fault in force. */
export interface ActiveFault {
  /** How many answers it has befallen. */
  readonly hits: number;
  /** Ends it. */
  remove(): void;
}

/** The faults of one server, applied in the order they were added. */
export class FaultList {
  readonly #faults = new Set<{ rule: FaultRule; seen: number; hits: number }>();

  /** Puts a fault in force. */
  add(rule: FaultRule): ActiveFault {
    const fault = { rule, seen: 0, hits: 0, remove: () => void this.#faults.delete(fault) };
    this.#faults.add(fault);
    return fault;
  }

  /** The answer after every fault that befalls it. */
  apply(reply: Reply, request: RecordedRequest): Reply {
    let result = reply;
    for (const fault of this.#faults) {
      if (!fault.rule.match(request, reply)) continue;
      fault.seen++;
      if (fault.seen <= (fault.rule.skip ?? 0) || fault.hits >= (fault.rule.times ?? Infinity)) continue;
      fault.hits++;
      result = fault.rule.action(result, request);
    }
    return result;
  }
}

/** Matches manifest requests, all or those for one tag or digest. */
export function manifestRequests(reference?: string): (request: RecordedRequest) => boolean {
  return ({ path }) =>
    reference === undefined ? path.includes("/manifests/") : path.endsWith(`/manifests/${reference}`);
}

/** Matches blob downloads, all or those of one digest, here and on a blob host. */
export function blobRequests(digest?: string): (request: RecordedRequest) => boolean {
  return ({ method, path }) => method === "GET" && path.includes("/blobs/") && path.endsWith(digest ?? "");
}

/** Closes the connection without an answer, or after that many bytes of the body. */
export function drop(afterBytes: Delivery["cutAfter"] = "nothing"): FaultAction {
  return deliver({ cutAfter: afterBytes, cutBy: "close" });
}

/** Resets the TCP connection without an answer, or after that many bytes of the body. */
export function reset(afterBytes: Delivery["cutAfter"] = "nothing"): FaultAction {
  return deliver({ cutAfter: afterBytes, cutBy: "reset" });
}

/** Says nothing, or nothing more after that many bytes of the body, until the client leaves. */
export function stall(afterBytes: Delivery["cutAfter"] = "nothing"): FaultAction {
  return deliver({ cutAfter: afterBytes, cutBy: "stall" });
}

/** Sends the body in small pieces with rests between them. */
export function trickle(pieceBytes: number, pauseMs: number): FaultAction {
  return deliver({ pieceBytes, pauseMs });
}

function deliver(delivery: Delivery): FaultAction {
  return (reply) => ({ ...reply, delivery: { ...reply.delivery, ...delivery } });
}

/** Changes the body; the Content-Length is that of the new body (`true`), that of the old one (`stale`), or a number. */
export function changeBody(
  change: (body: Uint8Array<ArrayBuffer>) => Uint8Array,
  contentLength: "true" | "stale" | number = "true",
): FaultAction {
  return (reply) => {
    const before = bodyBytes(reply);
    const after = change(before);
    const length = contentLength === "true"
      ? after.length
      : contentLength === "stale"
      ? before.length
      : contentLength;
    return withHeaders({ ...reply, body: after }, { "Content-Length": String(length) });
  };
}

/** Sends only the first bytes: under the old Content-Length (`stale`, as a cut line looks) or their own (`true`). */
export function truncate(toBytes: number, contentLength: "true" | "stale"): FaultAction {
  return changeBody((body) => body.subarray(0, toBytes), contentLength);
}

/** Turns over the bits of one byte; a negative offset counts from the end. */
export function corrupt(offset = 0): FaultAction {
  return changeBody((body) => {
    const at = offset < 0 ? body.length + offset : offset;
    return body.with(at, (body[at] ?? 0) ^ 0xff);
  });
}

/** Sends that many bytes more than there are, counted in the Content-Length or not. */
export function lengthen(byBytes: number, contentLength: "true" | "stale"): FaultAction {
  return changeBody((body) => Buffer.concat([body, new Uint8Array(byBytes)]), contentLength);
}

/** Sends the body without a Content-Length, in chunks. */
export function chunked(): FaultAction {
  return (reply) => {
    const body = bodyBytes(reply);
    return withHeaders({ ...reply, body: [body] }, { "Content-Length": null });
  };
}

/** Puts headers in place of those of the same name, true or not; `null` removes. */
export function setHeaders(changes: Readonly<Record<string, string | null>>): FaultAction {
  return (reply) => withHeaders(reply, changes);
}

/** Adds a header line beside those of the same name. */
export function addHeader(name: string, value: string): FaultAction {
  return (reply) => ({ ...reply, headers: [...reply.headers, [name, value]] });
}

/** Adds the warning of the distribution-spec ("Warnings"). */
export function warn(text: string): FaultAction {
  return addHeader("Warning", `299 - "${text}"`);
}

/** Answers a Range with 200 and the whole content. */
export function ignoreRange(): FaultAction {
  return (reply) => {
    if (reply.whole === undefined) return reply;
    const changes = { "Content-Range": null, "Content-Length": null };
    return withHeaders({ ...reply, status: 200, body: reply.whole }, changes);
  };
}

/** Gives another answer altogether. */
export function answer(
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body: string | Uint8Array = "",
): FaultAction {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return () => bytesReply(status, bytes, headers);
}

/** Redirects, to one place or to one that depends on the request. */
export function redirect(to: string | ((request: RecordedRequest) => string), status = 307): FaultAction {
  return (_reply, request) =>
    bytesReply(status, new Uint8Array(), { Location: typeof to === "string" ? to : to(request) });
}

/** Compresses the body as a transport would, whether or not the client can read it. */
export function encodeGzip(name = "gzip"): FaultAction {
  const compress = changeBody((body) => gzipSync(body));
  return (reply, request) => withHeaders(compress(reply, request), { "Content-Encoding": name });
}

/** Keeps status and headers and sends that many bytes, made on the way: never held in memory. */
export function hugeBody(totalBytes: number, fill = " "): FaultAction {
  return (reply) => {
    const contentLength = headerOf(reply, "content-length") === undefined ? null : String(totalBytes);
    return withHeaders({ ...reply, body: filler(totalBytes, fill) }, { "Content-Length": contentLength });
  };
}

function* filler(totalBytes: number, fill: string): Generator<Uint8Array> {
  const piece = new Uint8Array(64 * 1024).fill(fill.charCodeAt(0));
  for (let sent = 0; sent < totalBytes; sent += piece.length) yield piece.subarray(0, totalBytes - sent);
}
