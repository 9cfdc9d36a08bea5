/**
 * Answers of the lab's HTTP servers as plain values, which faults change before they are sent.
 *
 * @module
 */

/** Header fields in the order they are written; a name may stand there twice. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** How an answer goes out when it does not go out whole and at once. */
export interface Delivery {
  /** Where it ends early: before the head, or after that many bytes of the body. */
  readonly cutAfter?: "nothing" | number;
  /** What ends it: an orderly close, a TCP reset, or silence until the client leaves. */
  readonly cutBy?: "close" | "reset" | "stall";
  /** Body bytes written at a time; 65536 when absent. */
  readonly pieceBytes?: number;
  /** Milliseconds of rest before each piece. */
  readonly pauseMs?: number;
}

/** One answer. Without a Content-Length header, the true one is written, or chunked framing for a generated body. */
export interface Reply {
  /** Status code; the reason phrase is always the same. */
  readonly status: number;
  /** As they are written, before framing headers are added. */
  readonly headers: HeaderList;
  /** Bytes, or a generator for bodies too large to hold. */
  readonly body: Uint8Array | Iterable<Uint8Array>;
  /** The whole content, where the body is only the asked range of it. */
  readonly whole?: Uint8Array;
  /** Whole and at once when absent. */
  readonly delivery?: Delivery;
}

/** An answer with a body of bytes. */
export function bytesReply(status: number, body: Uint8Array, headers: Record<string, string> = {}): Reply {
  return { status, headers: Object.entries(headers), body };
}

/** An answer without a body. */
export function emptyReply(status: number, headers: Record<string, string> = {}): Reply {
  return bytesReply(status, new Uint8Array(), headers);
}

/** An answer with a JSON body. */
export function jsonReply(status: number, document: unknown, headers: Record<string, string> = {}): Reply {
  const body = new TextEncoder().encode(JSON.stringify(document));
  return bytesReply(status, body, { "Content-Type": "application/json", ...headers });
}

/** An error body of the distribution-spec ("Error Codes"). */
export function errorReply(status: number, code: string, message: string): Reply {
  return jsonReply(status, { errors: [{ code, message, detail: null }] });
}

/** The value of a header, the first if there are several. */
export function headerOf(reply: Reply, name: string): string | undefined {
  return reply.headers.find(([one]) => one.toLowerCase() === name.toLowerCase())?.[1];
}

/** The answer with these headers in place of those of the same name; `null` removes. */
export function withHeaders(reply: Reply, changes: Readonly<Record<string, string | null>>): Reply {
  const names = new Set(Object.keys(changes).map((name) => name.toLowerCase()));
  const kept = reply.headers.filter(([name]) => !names.has(name.toLowerCase()));
  const added = Object.entries(changes).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const]
  );
  return { ...reply, headers: [...kept, ...added] };
}

/** The answer's body as one array. */
export function bodyBytes(reply: Reply): Uint8Array<ArrayBuffer> {
  if (reply.body instanceof Uint8Array) return new Uint8Array(reply.body);
  const parts = [...reply.body];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => (whole.set(part, offset), offset + part.length), 0);
  return whole;
}
