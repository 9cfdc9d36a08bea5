import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  certificateLength,
  certificatePem,
  MAX_CERTIFICATE_BYTES,
  parseDiceCertificate,
} from "../../src/ota_agent/dice_certificate.ts";
import { OtaAgentError } from "../../src/ota_agent/ota_agent_error.ts";
import { diceCertificate } from "../builders/certificates.ts";
import { sha256 } from "../builders/esp_image.ts";

const { der, pem } = await diceCertificate();

Deno.test("parseDiceCertificate: takes a device's certificate, names its fingerprint, writes it as PEM", () => {
  assertEquals(certificateLength(der.subarray(0, 4)), der.length);
  const certificate = parseDiceCertificate(der);
  assertEquals(certificate.sha256, sha256(der).toHex());
  assertEquals(certificatePem(certificate).trimEnd(), pem.trimEnd());
});

Deno.test("certificateLength: refuses what starts no certificate of a believable length", () => {
  const headers: readonly (readonly number[])[] = [
    [],
    [0x30],
    [0x31, 0x82, 0x02, 0xd2],
    [0x30, 0x80, 0x02, 0xd2],
    [0x30, 0x81, 0x7f, 0x00],
    [0x30, 0x82, 0x00, 0xff],
    [0x30, 0x83, 0x00, 0x02],
    [0x30, 0x84, 0xff, 0xff],
    [0x30, 0x82, 0xff, 0xff],
    [0x30, 0x82, (MAX_CERTIFICATE_BYTES - 3) >> 8, (MAX_CERTIFICATE_BYTES - 3) & 0xff],
    [0x47, 0x45, 0x54, 0x20],
  ];
  for (const header of headers) {
    const error = assertThrows(
      () => certificateLength(Uint8Array.from(header)),
      OtaAgentError,
      undefined,
      `${header}`,
    );
    assertEquals(error.code, "certificate-invalid");
  }
  assertEquals(
    certificateLength(
      Uint8Array.of(0x30, 0x82, (MAX_CERTIFICATE_BYTES - 4) >> 8, (MAX_CERTIFICATE_BYTES - 4) & 0xff),
    ),
    MAX_CERTIFICATE_BYTES,
  );
});

Deno.test("parseDiceCertificate: refuses every truncation and every extension", () => {
  for (let length = 0; length < der.length; length++) {
    assertThrows(() => parseDiceCertificate(der.subarray(0, length)), OtaAgentError);
  }
  assertThrows(() => parseDiceCertificate(Uint8Array.of(...der, 0)), OtaAgentError);
});

Deno.test("parseDiceCertificate: refuses parts that do not fill the whole", () => {
  const refused = [
    [0x30, 0x00],
    [0x30, 0x02, 0x30, 0x00],
    [0x30, 0x06, 0x30, 0x00, 0x30, 0x00, 0x04, 0x00],
    [0x30, 0x06, 0x30, 0x00, 0x30, 0x00, 0x03, 0x01],
    [0x30, 0x08, 0x30, 0x00, 0x30, 0x00, 0x03, 0x00, 0x05, 0x00],
    [0x30, 0x06, 0x30, 0x10, 0x30, 0x00, 0x03, 0x00],
  ];
  for (const bytes of refused) {
    assertThrows(() => parseDiceCertificate(Uint8Array.from(bytes)), OtaAgentError);
  }
  const least = parseDiceCertificate(Uint8Array.of(0x30, 0x06, 0x30, 0x00, 0x30, 0x00, 0x03, 0x00));
  assertEquals(least.der.length, 8);
});

Deno.test("parseDiceCertificate: hostile bytes give a certificate of their own length or our error", () => {
  const mutated = fc.tuple(fc.nat(der.length - 1), fc.nat(255)).map(([at, value]) => {
    const bytes = der.slice();
    bytes[at] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 3000 })), (bytes) => {
      try {
        const certificate = parseDiceCertificate(bytes);
        assertEquals(certificate.der.length, bytes.length);
        assert(bytes.length <= MAX_CERTIFICATE_BYTES);
      } catch (error) {
        assertInstanceOf(error, OtaAgentError);
      }
    }),
    { seed: 4433, numRuns: 5_000 },
  );
});
