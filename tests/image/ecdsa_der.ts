import { type Bytes, concatBytes } from "../builders/esp_bytes.ts";

/** r and s, big-endian and equally wide, as the DER that programs exchange: SEQUENCE { INTEGER, INTEGER }. */
export function ecdsaToDer(signature: Uint8Array): Bytes {
  const width = signature.length / 2;
  const body = concatBytes(integer(signature.subarray(0, width)), integer(signature.subarray(width)));
  return concatBytes(Uint8Array.of(0x30, body.length), body);
}

/** The DER of an ECDSA signature as r and s, each big-endian and `width` bytes wide. */
export function ecdsaFromDer(der: Uint8Array, width: number): Bytes {
  const numbers = new Uint8Array(2 * width);
  let at = 2;
  for (const end of [width, 2 * width]) {
    const length = der[at + 1] ?? 0;
    const digits = der.subarray(at + 2, at + 2 + length).subarray(-width);
    numbers.set(digits, end - digits.length);
    at += 2 + length;
  }
  return numbers;
}

function integer(bigEndian: Uint8Array): Bytes {
  const first = bigEndian.findIndex((byte) => byte !== 0);
  const digits = bigEndian.subarray(first);
  // A leading zero keeps a number with its top bit set from being negative.
  const body = (digits[0] ?? 0) > 0x7f ? concatBytes(Uint8Array.of(0), digits) : digits;
  return concatBytes(Uint8Array.of(0x02, body.length), body);
}
