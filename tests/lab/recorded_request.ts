/**
 * What a lab server writes down of each request, for assertions on who saw what.
 *
 * @module
 */

/** How far the answer to a request got. */
export type AnswerEnding =
  /** Not finished yet. */
  | "open"
  /** All that was to be sent was sent. */
  | "complete"
  /** A fault ended it on purpose. */
  | "cut"
  /** The client went away, or the server was stopped. */
  | "broken";

/** One request as it arrived. */
export interface RecordedRequest {
  /** As sent, upper case. */
  readonly method: string;
  /** As on the request line: path with query, or a whole URL when the client took the server for a proxy. */
  readonly target: string;
  /** Path without query, not percent-decoded. */
  readonly path: string;
  /** Decoded parameters. */
  readonly query: URLSearchParams;
  /** Repeated fields are joined by `, `. */
  readonly headers: Headers;
  /** The whole body, after chunked framing. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Milliseconds since the Unix epoch at which it had been read. */
  readonly at: number;
  /** Common name of the certificate the client showed, if any. */
  readonly clientCertificate: string | undefined;
  /** Status of the answer; undefined until it is known. */
  status: number | undefined;
  /** Bytes of the answer's body given to the system so far; what the client has read may be less. */
  bodyBytesSent: number;
  /** How far the answer got. */
  ending: AnswerEnding;
}
