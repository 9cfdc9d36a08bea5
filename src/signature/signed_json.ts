import { SignatureError } from "./signature_error.ts";

/** Bytes that were signed, as JSON. Throws {@linkcode SignatureError} `altered-payload` when they are not. */
export function readSignedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SignatureError("altered-payload", "Cannot read the signed payload: it is not JSON", { cause });
  }
}

/** Signed annotations as text: what is not a string, as JSON. */
export function annotationTexts(
  values: Readonly<Record<string, unknown>> | null = {},
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values ?? {}).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
}
