import { CodedError } from "../coded_error.ts";

/**
 * What can go wrong when certificates are made.
 *
 * - `invalid-setting`: a name, a number of days or an algorithm that cannot stand in a certificate
 * - `exists`: a file is already there; nothing is ever overwritten
 * - `unreadable`: the authority's certificate or key cannot be read or is no PEM of its kind
 * - `not-an-authority`: the certificate to issue with is not CA:TRUE
 * - `key-mismatch`: the key is not the one of the authority's certificate
 * - `io`: a file could not be written
 */
export type CertsErrorCode =
  | "invalid-setting"
  | "exists"
  | "unreadable"
  | "not-an-authority"
  | "key-mismatch"
  | "io";

/** A failure of the certificate maker. No key material stands in its message. */
export class CertsError extends CodedError<CertsErrorCode> {}
